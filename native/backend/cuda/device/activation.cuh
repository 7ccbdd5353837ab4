// The unary float32 rows inside other kernels: epilogues of matrix products.
#pragma once
#include "ops/activation.h"
#include "backend/cuda/device/platform.cuh"
#include "ops/binary.h"
#include "ops/functor.h"
#include "ops/op.h"
#include "ops/unary.h"

namespace downhill::cuda {

#define BINARY(name, functor, types, attributes, gradient)
#define TERNARY(name, functor, types, attributes, gradient)
#define OP(name, arity, shape, attributes, gradient)
#define COMPOSITE(name, arity, attributes)

/// On the host: visit(f) with the functor of a unary row, to choose a kernel that has it inlined. False: no such row.
template <typename Visit>
bool with_activation(Op op, const float* params, Visit&& visit) {
  switch (op) {
#define UNARY(name, functor, types, attributes, gradient)             \
  case Op::name:                                                      \
    visit(downhill::DH_ISA::make<downhill::DH_ISA::functor>(params)); \
    return true;
#include "ops/ops.def"
    default:
      return false;
  }
}

#define BINARY(name, functor, types, attributes, gradient)
#define TERNARY(name, functor, types, attributes, gradient)
#define OP(name, arity, shape, attributes, gradient)
#define COMPOSITE(name, arity, attributes)

/// f(x) of a unary row chosen at run time; x for Op::identity. The code of all rows, therefore not inlined: call it in
/// a loop, and keep the common cases (none, relu) beside it.
inline __device__ __attribute__((noinline)) float activate(Op op, const float* params, float x) {
  switch (op) {
#define UNARY(name, functor, types, attributes, gradient) \
  case Op::name:                                          \
    return downhill::DH_ISA::make<downhill::DH_ISA::functor>(params)(x);
#include "ops/ops.def"
    default:
      return x;
  }
}

/// f(saved, d_y) where the row is the gradient of an activation.
template <bool kGradient, class F>
__device__ float gradient_of(const float* params, float saved, float d_y) {
  if constexpr (kGradient) {
    return downhill::DH_ISA::make<F>(params)(saved, d_y);
  } else {
    return d_y;
  }
}

#define UNARY(name, functor, types, attributes, gradient)
#define TERNARY(name, functor, types, attributes, gradient)
#define OP(name, arity, shape, attributes, gradient)
#define COMPOSITE(name, arity, attributes)

/// The same for the gradients of activations.
inline __device__ __attribute__((noinline)) float activation_gradient(Op op, const float* params, float saved,
                                                                      float d_y) {
  switch (op) {
#define BINARY(name, functor, types, attributes, gradient) \
  case Op::name:                                           \
    return gradient_of<kActivationGradient[static_cast<int>(Op::name)], downhill::DH_ISA::functor>(params, saved, d_y);
#include "ops/ops.def"
    default:
      return d_y;
  }
}

}  // namespace downhill::cuda
