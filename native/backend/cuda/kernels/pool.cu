// Pooling: a thread computes one element of the result from the windows it belongs to, in their order.
#include "backend/cuda/commands/conv.h"
#include "backend/cuda/device/platform.cuh"
#include "backend/cuda/kernels/grid.cuh"
#include "ops/reduce.h"

namespace downhill::cuda {

namespace {

using downhill::DH_ISA::FirstLargest;

constexpr int kThreads = 256;

struct Window {
  int64_t image, channel;
  int64_t first_y, end_y, first_x, end_x;  // of the input
};

__device__ __forceinline__ Window window_of(const PoolShape& s, int64_t image, int64_t oy, int64_t ox,
                                            int64_t channel) {
  const int64_t y = oy * s.y.stride - s.y.before, x = ox * s.x.stride - s.x.before;
  const int64_t end_y = y + s.y.kernel, end_x = x + s.x.kernel;
  return {image, channel, y < 0 ? 0 : y, end_y < s.y.in ? end_y : s.y.in, x < 0 ? 0 : x,
          end_x < s.x.in ? end_x : s.x.in};
}

__device__ __forceinline__ int64_t position(const PoolShape& s, int64_t image, int64_t y, int64_t x, int64_t channel) {
  return ((image * s.y.in + y) * s.x.in + x) * s.c + channel;
}

/// The first of the largest elements.
__device__ __forceinline__ int64_t largest_of(const PoolShape& s, const float* data, const Window& window) {
  int64_t best = position(s, window.image, window.first_y, window.first_x, window.channel);
  float value = data[best];
  for (int64_t y = window.first_y; y < window.end_y; ++y)
    for (int64_t x = window.first_x; x < window.end_x; ++x) {
      const int64_t at = position(s, window.image, y, x, window.channel);
      const float candidate = data[at];
      if (FirstLargest::replaces(candidate, value)) value = candidate, best = at;
    }
  return best;
}

/// Whether x at (y, x) is that element.
__device__ __forceinline__ bool is_largest(const PoolShape& s, const float* data, const Window& window, int64_t own_y,
                                           int64_t own_x) {
  const float own = data[position(s, window.image, own_y, own_x, window.channel)];
  bool wins = true;
  DH_NO_UNROLL
  for (int64_t y = window.first_y; y < window.end_y; ++y) {
    DH_NO_UNROLL
    for (int64_t x = window.first_x; x < window.end_x; ++x) {
      const float other = data[position(s, window.image, y, x, window.channel)];
      const bool earlier = y < own_y || (y == own_y && x < own_x);
      wins = wins && (earlier ? FirstLargest::replaces(own, other) : !FirstLargest::replaces(other, own));
    }
  }
  return wins;
}

__device__ __forceinline__ float mean_of(const PoolShape& s, const float* data, const Window& window) {
  float sum = 0;
  for (int64_t y = window.first_y; y < window.end_y; ++y)
    for (int64_t x = window.first_x; x < window.end_x; ++x)
      sum += data[position(s, window.image, y, x, window.channel)];
  return sum / static_cast<float>((window.end_y - window.first_y) * (window.end_x - window.first_x));
}

struct At {
  int64_t image, y, x, channel;
};
__device__ __forceinline__ At at(int64_t i, int64_t height, int64_t width, int64_t channels) {
  const Division pixel = divide(i, channels), row = divide(pixel.quotient, width), image = divide(row.quotient, height);
  return {image.quotient, image.remainder, row.remainder, pixel.remainder};
}

__global__ void __launch_bounds__(kThreads) pool_kernel(const PoolArgs args, int64_t size) {
  const PoolShape& s = args.shape;
  const int64_t stride = int64_t{gridDim.x} * kThreads;
  for (int64_t i = int64_t{blockIdx.x} * kThreads + threadIdx.x; i < size; i += stride) {
    const At to = at(i, s.y.out, s.x.out, s.c);
    const Window window = window_of(s, to.image, to.y, to.x, to.channel);
    if (args.kind == PoolKind::average)
      args.to[i] = mean_of(s, args.x, window);
    else
      args.to[i] = (args.kind == PoolKind::max ? args.x : args.z)[largest_of(s, args.x, window)];
  }
}

/// Outputs [first, end) whose windows hold input i.
struct Reach {
  int64_t first, end;
};
__device__ __forceinline__ Reach reach_of(const Axis& axis, int64_t i) {
  const int64_t from = i + axis.before - axis.kernel + 1;
  const int64_t end = divide(i + axis.before, axis.stride).quotient + 1;
  return {from <= 0 ? 0 : divide(from + axis.stride - 1, axis.stride).quotient, end < axis.out ? end : axis.out};
}

template <bool kAverage>
__global__ void __launch_bounds__(kThreads) pool_gradient_kernel(const PoolArgs args, int64_t size) {
  const PoolShape& s = args.shape;
  const int64_t stride = int64_t{gridDim.x} * kThreads;
  for (int64_t i = int64_t{blockIdx.x} * kThreads + threadIdx.x; i < size; i += stride) {
    const At to = at(i, s.y.in, s.x.in, s.c);
    const Reach rows = reach_of(s.y, to.y), columns = reach_of(s.x, to.x);
    float sum = 0;
    for (int64_t oy = rows.first; oy < rows.end; ++oy)
      for (int64_t ox = columns.first; ox < columns.end; ++ox) {
        const Window window = window_of(s, to.image, oy, ox, to.channel);
        const float* const d_y = args.z + ((to.image * s.y.out + oy) * s.x.out + ox) * s.c + to.channel;
        if constexpr (kAverage)
          sum += *d_y / static_cast<float>((window.end_y - window.first_y) * (window.end_x - window.first_x));
        else if (is_largest(s, args.x, window, to.y, to.x))
          sum += *d_y;
      }
    args.to[i] = sum;
  }
}

}  // namespace

void launch_pool(const PoolArgs& args, Stream stream) {
  const PoolShape& s = args.shape;
  const bool gradient = args.kind == PoolKind::max_grad || args.kind == PoolKind::average_grad;
  const int64_t size = s.n * (gradient ? s.y.in * s.x.in : s.y.out * s.x.out) * s.c;
  if (size == 0) return;
  auto* const kernel = args.kind == PoolKind::max_grad       ? pool_gradient_kernel<false>
                       : args.kind == PoolKind::average_grad ? pool_gradient_kernel<true>
                                                             : pool_kernel;
  launch(kernel, dim3(grid_for(size, kThreads)), dim3(kThreads), 0, stream, args,
         size);
}

}  // namespace downhill::cuda
