// Pooling: a thread computes one element of the result from the windows it belongs to, in their order. Positions have
// 32 bits: a launch takes as many images as these count.
#include "backend/cuda/commands/conv.h"
#include "backend/cuda/device/platform.cuh"
#include "backend/cuda/kernels/grid.cuh"
#include "ops/reduce.h"

namespace downhill::cuda {

namespace {

using downhill::DH_ISA::FirstLargest;

constexpr int kThreads = 256;

struct Side {
  int in, out, kernel, stride, before;
  explicit Side(const Axis& axis)
      : in(static_cast<int>(axis.in)),
        out(static_cast<int>(axis.out)),
        kernel(static_cast<int>(axis.kernel)),
        stride(static_cast<int>(axis.stride)),
        before(static_cast<int>(axis.before)) {}
};

struct PoolLaunch {
  Side y, x;
  int c, size;  // channels; elements of the result
  const float *from, *z;
  float* to;
};

struct Span {
  int first, end;
  __device__ __forceinline__ int size() const { return end - first; }
};

/// Of the input, that output o reads.
__device__ __forceinline__ Span window_of(const Side& side, int o) {
  const int first = o * side.stride - side.before, end = first + side.kernel;
  return {first < 0 ? 0 : first, end < side.in ? end : side.in};
}

/// Of the outputs, that read input i.
__device__ __forceinline__ Span reach_of(const Side& side, int i) {
  const int from = i + side.before - side.kernel + 1, end = (i + side.before) / side.stride + 1;
  return {from <= 0 ? 0 : (from + side.stride - 1) / side.stride, end < side.out ? end : side.out};
}

/// The first of the largest elements; `data` are those of an image and channel.
__device__ __forceinline__ int largest_of(const PoolLaunch& args, const float* data, Span rows, Span columns) {
  int best = (rows.first * args.x.in + columns.first) * args.c;
  float value = data[best];
  DH_NO_UNROLL
  for (int y = rows.first; y < rows.end; ++y) {
    DH_NO_UNROLL
    for (int x = columns.first; x < columns.end; ++x) {
      const int at = (y * args.x.in + x) * args.c;
      const float candidate = data[at];
      if (FirstLargest::replaces(candidate, value)) value = candidate, best = at;
    }
  }
  return best;
}

__device__ __forceinline__ float mean_of(const PoolLaunch& args, const float* data, Span rows, Span columns) {
  float sum = 0;
  DH_NO_UNROLL
  for (int y = rows.first; y < rows.end; ++y) {
    DH_NO_UNROLL
    for (int x = columns.first; x < columns.end; ++x) sum += data[(y * args.x.in + x) * args.c];
  }
  return sum / static_cast<float>(rows.size() * columns.size());
}

struct At {
  int image, y, x, channel;
};
__device__ __forceinline__ At place_of(int i, int height, int width, int channels) {
  const int pixel = i / channels, row = pixel / width, image = row / height;
  return {image, row - image * height, pixel - row * width, i - pixel * channels};
}

template <PoolKind kKind>
__global__ void __launch_bounds__(kThreads) pool_kernel(const PoolLaunch args) {
  const int stride = static_cast<int>(gridDim.x) * kThreads;
  for (int64_t i = int64_t{blockIdx.x} * kThreads + threadIdx.x; i < args.size; i += stride) {
    const At to = place_of(static_cast<int>(i), args.y.out, args.x.out, args.c);
    const Span rows = window_of(args.y, to.y), columns = window_of(args.x, to.x);
    const int image = to.image * args.y.in * args.x.in * args.c + to.channel;
    if constexpr (kKind == PoolKind::average)
      args.to[i] = mean_of(args, args.from + image, rows, columns);
    else
      args.to[i] =
          (kKind == PoolKind::max ? args.from : args.z)[image + largest_of(args, args.from + image, rows, columns)];
  }
}

template <PoolKind kKind>
__global__ void __launch_bounds__(kThreads) pool_gradient_kernel(const PoolLaunch args) {
  const int stride = static_cast<int>(gridDim.x) * kThreads;
  for (int64_t i = int64_t{blockIdx.x} * kThreads + threadIdx.x; i < args.size; i += stride) {
    const At to = place_of(static_cast<int>(i), args.y.in, args.x.in, args.c);
    const Span rows = reach_of(args.y, to.y), columns = reach_of(args.x, to.x);
    const int own = (to.y * args.x.in + to.x) * args.c;
    const int image = static_cast<int>(i) - own;
    float sum = 0;
    DH_NO_UNROLL
    for (int oy = rows.first; oy < rows.end; ++oy) {
      DH_NO_UNROLL
      for (int ox = columns.first; ox < columns.end; ++ox) {
        const Span down = window_of(args.y, oy), across = window_of(args.x, ox);
        const float d_y = args.z[((to.image * args.y.out + oy) * args.x.out + ox) * args.c + to.channel];
        if constexpr (kKind == PoolKind::average_grad)
          sum += d_y / static_cast<float>(down.size() * across.size());
        else if (largest_of(args, args.from + image, down, across) == own)
          sum += d_y;
      }
    }
    args.to[i] = sum;
  }
}

auto kernel_of(PoolKind kind) {
  switch (kind) {
    case PoolKind::max:
      return pool_kernel<PoolKind::max>;
    case PoolKind::max_pick:
      return pool_kernel<PoolKind::max_pick>;
    case PoolKind::average:
      return pool_kernel<PoolKind::average>;
    case PoolKind::max_grad:
      return pool_gradient_kernel<PoolKind::max_grad>;
    default:
      return pool_gradient_kernel<PoolKind::average_grad>;
  }
}

}  // namespace

void launch_pool(const PoolArgs& args, Stream stream) {
  const PoolShape& s = args.shape;
  const bool gradient = args.kind == PoolKind::max_grad || args.kind == PoolKind::average_grad;
  const int64_t in = s.y.in * s.x.in * s.c, out = s.y.out * s.x.out * s.c;
  const int64_t larger = in > out ? in : out, room = INT32_MAX / 2;  // a grid's stride is added to a position
  if (larger > room) throw LaunchError("an image to be pooled has more elements than 30 bits count");
  if (larger == 0) return;
  for (int64_t first = 0; first < s.n; first += room / larger) {
    const int64_t images = s.n - first < room / larger ? s.n - first : room / larger;
    const int64_t from = first * in, to = first * (gradient ? in : out);
    PoolLaunch part = {Side(s.y),
                       Side(s.x),
                       static_cast<int>(s.c),
                       static_cast<int>(images * (gradient ? in : out)),
                       args.x ? args.x + from : nullptr,
                       args.z ? args.z + first * (gradient ? out : in) : nullptr,
                       args.to + to};
    launch(kernel_of(args.kind), dim3(grid_for(part.size, kThreads)), dim3(kThreads), 0, stream, part);
  }
}

}  // namespace downhill::cuda
