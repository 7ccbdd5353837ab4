// Commands of this family; made by host/lower/conv.cpp, launched by kernels/conv.cu and kernels/pool.cu.
#pragma once
#include <cstdint>

#include "backend/cuda/commands/matmul.h"
#include "ops/op.h"
#include "ops/windows.h"

namespace downhill::cuda {

enum class ConvPass : uint8_t { forward, input_gradient, filter_gradient };

/// A convolution as a matrix product for each group, its operands read from images:
///   forward          (n · y.out · x.out, taps · c) · (taps · c, co)
///   input_gradient   (n · y.in · x.in, taps · co) · (taps · co, c)
///   filter_gradient  (taps · c, n · y.out · x.out) · (n · y.out · x.out, co)
struct ConvArgs {
  ConvShape shape;
  ConvPass pass = ConvPass::forward;
  const float* x = nullptr;    // forward, filter_gradient
  const float* w = nullptr;    // forward, input_gradient
  const float* d_y = nullptr;  // the gradients
  float* to = nullptr;         // y, d_x or d_w
  // Forward alone, as in MatmulArgs.
  const float* bias = nullptr;  // (groups · co); null: none
  const float* saved = nullptr;
  Op activation = Op::identity;
  float params[2] = {};

  MatmulKind kind = MatmulKind::ffma;
  int32_t splits = 1;         // filter_gradient: pieces of the sum, added up in order
  float* partials = nullptr;  // with more than one: (splits, groups, taps · c, co)

  DH_HOST_DEVICE int64_t taps() const { return shape.y.kernel * shape.x.kernel; }
  DH_HOST_DEVICE int64_t outputs() const { return shape.n * shape.y.out * shape.x.out; }
  DH_HOST_DEVICE int64_t inputs() const { return shape.n * shape.y.in * shape.x.in; }
  DH_HOST_DEVICE int64_t rows() const {
    return pass == ConvPass::forward ? outputs() : pass == ConvPass::input_gradient ? inputs() : taps() * shape.c;
  }
  DH_HOST_DEVICE int64_t columns() const { return pass == ConvPass::input_gradient ? shape.c : shape.co; }
  DH_HOST_DEVICE int64_t depth() const {
    return pass == ConvPass::forward          ? taps() * shape.c
           : pass == ConvPass::input_gradient ? taps() * shape.co
                                              : outputs();
  }
};

enum class PoolKind : uint8_t { max, max_pick, max_grad, average, average_grad };

/// max, average: y of x. max_pick: y of x and z. max_grad: to = d_x of x and z = d_y. average_grad: to = d_x of z =
/// d_y.
struct PoolArgs {
  PoolShape shape;
  PoolKind kind;
  const float *x, *z;
  float* to;
};

}  // namespace downhill::cuda
