// Convolutions by the main loop of the matrix products: operands that lie in images, and where the sums go.
#pragma once
#include "backend/cuda/commands/conv.h"
#include "backend/cuda/device/gemm_column_sums.cuh"
#include "backend/cuda/device/gemm_epilogue.cuh"
#include "backend/cuda/device/gemm_main.cuh"
#include "backend/cuda/device/platform.cuh"
#include "backend/cuda/kernels/grid.cuh"

namespace downhill::cuda {

struct ConvLaunch {
  ConvArgs args;
  bool vectors_a, vectors_b, vectors_c;  // 16 bytes at a time
};

/// Where tap t of output o reads, or which output has input i at its tap; -1: outside.
__device__ __forceinline__ int64_t input_of(const Axis& axis, int64_t o, int64_t tap) {
  const int64_t i = o * axis.stride + tap * axis.dilation - axis.before;
  return i < axis.in ? i : -1;
}
__device__ __forceinline__ int64_t output_of(const Axis& axis, int64_t i, int64_t tap) {
  const int64_t at = i + axis.before - tap * axis.dilation;
  if (at < 0) return -1;
  const Division step = divide(at, axis.stride);
  return step.remainder == 0 && step.quotient < axis.out ? step.quotient : -1;
}

struct Pixel {
  int64_t image, y, x;
};
__device__ __forceinline__ Pixel pixel_of(int64_t index, int64_t height, int64_t width) {
  const Division row = divide(index, width), image = divide(row.quotient, height);
  return {image.quotient, image.remainder, row.remainder};
}

/// What the outputs read, or the inputs' gradients: rows are pixels, the depth is (taps, channels of the group); for
/// the kernel's gradient the other way round.
template <ConvPass kPass>
struct PatchOperand {
  static constexpr Along kAlong = kPass == ConvPass::filter_gradient ? Along::rows : Along::depth;
  const float* data;  // of the group
  const ConvArgs& args;
  int64_t rows, depth;  // that exist
  bool vectors;

  template <bool kAlongDepth>
  __device__ __forceinline__ Piece piece(int64_t row, int64_t k, int count) const {
    if (row >= rows || k >= depth) return {data, 0};
    const ConvShape& s = args.shape;
    constexpr bool kBack = kPass == ConvPass::input_gradient, kSwapped = kPass == ConvPass::filter_gradient;
    const int64_t channels = kBack ? s.co : s.c;
    const Division part = divide(kSwapped ? row : k, channels);  // tap, channel
    const Division tap = divide(part.quotient, s.x.kernel);
    const Pixel pixel = kBack ? pixel_of(row, s.y.in, s.x.in) : pixel_of(kSwapped ? k : row, s.y.out, s.x.out);
    const int64_t y = kBack ? output_of(s.y, pixel.y, tap.quotient) : input_of(s.y, pixel.y, tap.quotient);
    const int64_t x = kBack ? output_of(s.x, pixel.x, tap.remainder) : input_of(s.x, pixel.x, tap.remainder);
    if (y < 0 || x < 0) return {data, 0};
    const int64_t height = kBack ? s.y.out : s.y.in, width = kBack ? s.x.out : s.x.in;
    return {data + ((pixel.image * height + y) * width + x) * s.groups * channels + part.remainder,
            clamped(channels - part.remainder, count)};
  }
};

/// The kernel as the input gradient reads it: rows are channels, the depth is (taps, filters of the group).
struct TapOperand {
  static constexpr Along kAlong = Along::depth;
  const float* data;
  int64_t ld, rows, depth, filters;
  bool vectors;

  template <bool kAlongDepth>
  __device__ __forceinline__ Piece piece(int64_t row, int64_t k, int count) const {
    if (row >= rows || k >= depth) return {data, 0};
    const Division tap = divide(k, filters);
    return {data + (tap.quotient * rows + row) * ld + tap.remainder, clamped(filters - tap.remainder, count)};
  }
};

/// activation(sums + bias) in the columns of a group.
struct ConvOutput {
  float* to;
  const float *bias, *saved;  // of the group, laid out as `to`; null: none
  int64_t rows, columns, ld;
  Op activation;
  float first, second;  // its attributes
  bool vectors;

  __device__ __forceinline__ void operator()(int64_t row, int64_t column, float4 x) const {
    if (row >= rows || column >= columns) return;
    const int count = clamped(columns - column, 4);
    float* const at = to + row * ld + column;
    float4 b = make_float4(0, 0, 0, 0), before = b;
    if (bias) b = read(bias + column, count);
    x.x += b.x, x.y += b.y, x.z += b.z, x.w += b.w;
    if (saved) {
      before = read(saved + row * ld + column, count);
      x = gradient_four(activation, first, second, before, x);
    } else if (activation != Op::identity) {
      x = activate_four(activation, first, second, x);
    }
    if (vectors) {
      *reinterpret_cast<float4*>(at) = x;
      return;
    }
    at[0] = x.x;
    if (count > 1) at[1] = x.y;
    if (count > 2) at[2] = x.z;
    if (count > 3) at[3] = x.w;
  }

 private:
  static __device__ __forceinline__ float4 read(const float* from, int count) {
    return make_float4(from[0], count > 1 ? from[1] : 0, count > 2 ? from[2] : 0, count > 3 ? from[3] : 0);
  }
};

template <class Warp, class Tile, ConvPass kPass>
__global__ void __launch_bounds__(Tile::kThreads, Tile::kBlocks) conv_kernel(const ConvLaunch launch) {
  DH_DYNAMIC_SHARED(float, shared);
  const ConvArgs& args = launch.args;
  const ConvShape& s = args.shape;
  const int64_t rows = args.rows(), columns = args.columns(), depth = args.depth();
  const int64_t down = (rows + Tile::kRows - 1) / Tile::kRows, across = (columns + Tile::kColumns - 1) / Tile::kColumns;
  const Division tile = divide(blockIdx.x, down), column_tile = divide(tile.quotient, across);
  const Division group_split = divide(column_tile.quotient, args.splits);
  const int64_t group = group_split.quotient, split = group_split.remainder;
  const int64_t row0 = tile.remainder * Tile::kRows, column0 = column_tile.remainder * Tile::kColumns;
  const int64_t steps = (depth + Tile::kDepth - 1) / Tile::kDepth, share = (steps + args.splits - 1) / args.splits;
  const int64_t begin = split * share * Tile::kDepth, share_end = begin + share * Tile::kDepth;
  const int64_t end = share_end < depth ? share_end : depth;
  const int64_t filters = s.groups * s.co;

  const auto epilogue = [&]() -> ConvOutput {
    if (args.splits > 1)
      return {args.partials + (split * s.groups + group) * rows * columns,
              nullptr,
              nullptr,
              rows,
              columns,
              columns,
              Op::identity,
              0,
              0,
              launch.vectors_c};
    const int64_t offset = group * columns;
    return {args.to + offset,
            args.bias ? args.bias + offset : nullptr,
            args.saved ? args.saved + offset : nullptr,
            rows,
            columns,
            s.groups * columns,
            args.activation,
            args.params[0],
            args.params[1],
            launch.vectors_c};
  };
  if constexpr (kPass == ConvPass::input_gradient) {
    const PatchOperand<kPass> a = {args.d_y + group * s.co, args, rows, end, launch.vectors_a};
    const TapOperand b = {args.w + group * s.co, filters, columns, end, s.co, launch.vectors_b};
    gemm<Warp, Tile>(shared, a, b, row0, column0, begin, end, NoColumnSums(), epilogue);
  } else {
    constexpr bool kForward = kPass == ConvPass::forward;
    const PatchOperand<kPass> a = {args.x + group * s.c, args, rows, end, launch.vectors_a};
    const MatrixOperand<Along::rows> b = {
        (kForward ? args.w : args.d_y) + group * s.co, filters, columns, end, false, launch.vectors_b};
    gemm<Warp, Tile>(shared, a, b, row0, column0, begin, end, NoColumnSums(), epilogue);
  }
}

template <class Warp, class Tile, ConvPass kPass>
void launch_pass(const ConvLaunch& args, Stream stream) {
  constexpr Along kAlongA = PatchOperand<kPass>::kAlong;
  constexpr Along kAlongB = kPass == ConvPass::input_gradient ? Along::depth : Along::rows;
  const ConvArgs& conv = args.args;
  const int64_t blocks = (conv.rows() + Tile::kRows - 1) / Tile::kRows *
                         ((conv.columns() + Tile::kColumns - 1) / Tile::kColumns) * conv.splits * conv.shape.groups;
  if (blocks > INT32_MAX) throw LaunchError("a convolution has more tiles than a grid can have blocks", 0);
  launch(conv_kernel<Warp, Tile, kPass>, dim3(static_cast<unsigned>(blocks)), dim3(Tile::kThreads),
         GemmShared<Warp, Tile, kAlongA, kAlongB>::kBytes, stream, args);
}

template <class Warp, class Tile>
void launch_conv_kernel(const ConvLaunch& args, Stream stream) {
  switch (args.args.pass) {
    case ConvPass::forward:
      return launch_pass<Warp, Tile, ConvPass::forward>(args, stream);
    case ConvPass::input_gradient:
      return launch_pass<Warp, Tile, ConvPass::input_gradient>(args, stream);
    case ConvPass::filter_gradient:
      return launch_pass<Warp, Tile, ConvPass::filter_gradient>(args, stream);
  }
}

// kernels/conv_*.cu
void launch_conv_ffma(const ConvLaunch& args, Stream stream);
void launch_conv_mma(const ConvLaunch& args, Stream stream);

}  // namespace downhill::cuda
