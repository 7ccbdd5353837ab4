// Convolutions of images (n, height, width, channels) and what pools them. w: (height, width, c, groups · co).
#pragma once
#include <cstddef>
#include <cstdint>

#include "ops/windows.h"

namespace downhill::cpu {

enum class ConvPass : uint8_t { forward, input_gradient, filter_gradient };

struct ConvArgs {
  ConvShape shape;
  const float* x = nullptr;    // forward, filter_gradient
  const float* w = nullptr;    // forward, input_gradient
  const float* d_y = nullptr;  // the gradients
  float* to = nullptr;         // y, d_x or d_w
  // Forward alone, as in MatmulArgs: y = activate(sums + bias), or gradient(saved, sums + bias).
  const float* bias = nullptr;  // (groups · co); null: none
  void (*activate)(const float* x, float* y, int64_t n, const float* params) = nullptr;
  void (*gradient)(const void* const* in, const int64_t* stride, void* out, int64_t n, const float* params) = nullptr;
  const float* saved = nullptr;
  const float* activate_params = nullptr;
  std::byte* scratch = nullptr;  // aligned to 64
};

struct ConvKernels {
  /// Bytes of scratch that run() needs, for any number of threads.
  size_t (*scratch_bytes)(const ConvShape& shape, ConvPass pass);
  /// On the pool; the result does not depend on the number of threads.
  void (*run)(const ConvArgs& args, ConvPass pass);
};

/// Of rows [begin, end), or images: a task of one thread. x: (n, y.in, x.in, c), y: (n, y.out, x.out, c).
struct PoolKernels {
  void (*max)(const PoolShape& shape, const float* x, float* y, int64_t begin, int64_t end);  // rows of y, of all n
  void (*max_pick)(const PoolShape& shape, const float* x, const float* z, float* y, int64_t begin, int64_t end);
  /// Channels [first, last) of one image, all of it.
  void (*max_grad)(const PoolShape& shape, const float* x, const float* d_y, float* d_x, int64_t image, int64_t first,
                   int64_t last);
  void (*average)(const PoolShape& shape, const float* x, float* y, int64_t begin, int64_t end);
  void (*average_grad)(const PoolShape& shape, const float* d_y, float* d_x, int64_t begin,
                       int64_t end);  // rows of d_x
};

}  // namespace downhill::cpu
