// The kernel of one product of a batch, and how it is launched. kernels/matmul_*.cu have its variants.
#pragma once
#include "backend/cuda/commands/matmul.h"
#include "backend/cuda/device/gemm_column_sums.cuh"
#include "backend/cuda/device/gemm_epilogue.cuh"
#include "backend/cuda/device/gemm_main.cuh"
#include "backend/cuda/device/platform.cuh"

namespace downhill::cuda {

/// A launch of MatmulArgs: what does not fit the grid of one is launched in turns.
struct MatmulLaunch {
  MatmulArgs args;
  int64_t batch;  // products in all
  int64_t first;  // product of this launch's first block
  bool vectors_a, vectors_b;
  bool vectors_c;  // of what the kernel writes: c or the partials
};

struct BatchOffsets {
  int64_t a, b;
};

__device__ __forceinline__ BatchOffsets batch_offsets(const MatmulArgs& args, int64_t product) {
  BatchOffsets offsets = {0, 0};
  for (int i = args.batch_rank; i-- > 0; product /= args.batch_dims[i]) {
    const int64_t index = product % args.batch_dims[i];
    offsets.a += index * args.batch_a[i];
    offsets.b += index * args.batch_b[i];
  }
  return offsets;
}

struct TileAt {
  int row, column;
};

/// Blocks that run at the same time should share rows of a and columns of b in the L2 cache: tiles are taken in
/// groups of 8 rows, down each column of a group.
__device__ __forceinline__ TileAt tile_at(int index, int down, int across) {
  constexpr int kGroup = 8;
  const int first = index / (kGroup * across) * kGroup;
  const int height = down - first < kGroup ? down - first : kGroup, within = index - first * across;
  return {first + within % height, within / height};
}

/// The block's number, as thread_again(): what follows from it need not be kept during the main loop.
__device__ __forceinline__ int block_again() {
  int block = static_cast<int>(blockIdx.x);
#if defined(__CUDACC__)
  asm volatile("" : "+r"(block));
#endif
  return block;
}

template <class Warp, class Tile, Along kAlongA, Along kAlongB, bool kColumnSums>
__global__ void __launch_bounds__(Tile::kThreads, Tile::kBlocks) matmul_kernel(const MatmulLaunch launch) {
  DH_DYNAMIC_SHARED(float, shared);
  const MatmulArgs& args = launch.args;
  const int down = static_cast<int>((args.m + Tile::kRows - 1) / Tile::kRows);
  const int across = static_cast<int>((args.n + Tile::kColumns - 1) / Tile::kColumns);
  const int block = static_cast<int>(blockIdx.x), rest = block / (down * across);  // a grid has less than 2^31 blocks
  const int split = rest % args.splits;
  const int64_t product = launch.first + rest / args.splits;
  const TileAt tile = tile_at(block % (down * across), down, across);

  const int steps = static_cast<int>((args.k + Tile::kDepth - 1) / Tile::kDepth);
  const int share = (steps + args.splits - 1) / args.splits;
  const int64_t k_begin = int64_t{split} * share * Tile::kDepth, k_share_end = k_begin + int64_t{share} * Tile::kDepth;
  const int64_t k_end = k_share_end < args.k ? k_share_end : args.k;

  const BatchOffsets offsets = batch_offsets(args, product);
  const MatrixOperand<kAlongA> a = {args.a + offsets.a, args.lda, args.m, k_end, !args.transpose_a, launch.vectors_a};
  const MatrixOperand<kAlongB> b = {args.b + offsets.b, args.ldb, args.n, k_end, args.transpose_b, launch.vectors_b};
  const auto epilogue = [&]() -> BiasActivation {
    const int again = block_again() / (down * across);
    const int64_t of_batch = launch.first + again / args.splits;
    if (args.splits > 1) {
      float* const to = args.partials + (again % args.splits * launch.batch + of_batch) * args.m * args.n;
      return {{to, args.m, args.n, launch.vectors_c}, nullptr, nullptr, Op::identity, {}};
    }
    const int64_t offset = of_batch * args.m * args.n;
    return {{args.c + offset, args.m, args.n, launch.vectors_c},
            args.bias,
            args.saved ? args.saved + offset : nullptr,
            args.activation,
            {args.params[0], args.params[1]}};
  };
  const auto column_sums = [&]() {
    if constexpr (!kColumnSums) {
      return NoColumnSums();
    } else {
      float* const partial = args.partials + int64_t{args.splits} * args.m * args.n + split * args.n;
      return ColumnSums<Tile>(tile.row == 0, args.splits > 1 ? partial : args.column_sums, args.n);
    }
  };
  gemm<Warp, Tile>(shared, a, b, int64_t{tile.row} * Tile::kRows, int64_t{tile.column} * Tile::kColumns, k_begin, k_end,
                   column_sums(), epilogue);
}

template <class Warp, class Tile, Along kAlongA, Along kAlongB, bool kColumnSums = false>
void launch_matmul_kernel(MatmulLaunch launch_args, Stream stream) {
  const MatmulArgs& args = launch_args.args;
  const int64_t tiles =
      (args.m + Tile::kRows - 1) / Tile::kRows * ((args.n + Tile::kColumns - 1) / Tile::kColumns) * args.splits;
  const int64_t most = tiles < INT32_MAX ? INT32_MAX / tiles : 1;  // products in one grid
  for (int64_t first = 0; first < launch_args.batch; first += most) {
    launch_args.first = first;
    const int64_t products = launch_args.batch - first < most ? launch_args.batch - first : most;
    launch(matmul_kernel<Warp, Tile, kAlongA, kAlongB, kColumnSums>, dim3(static_cast<unsigned>(products * tiles)),
           dim3(Tile::kThreads), GemmShared<Warp, Tile, kAlongA, kAlongB>::kBytes, stream, launch_args);
  }
}

/// Tensor cores: one kernel for each way the operands lie in memory.
template <class Warp, class Tile>
void launch_mma_matmul(const MatmulLaunch& args, Stream stream) {
  if (args.args.column_sums)
    launch_matmul_kernel<Warp, Tile, Along::rows, Along::rows, true>(args, stream);
  else if (args.args.transpose_a && args.args.transpose_b)
    launch_matmul_kernel<Warp, Tile, Along::rows, Along::depth>(args, stream);
  else if (args.args.transpose_a)
    launch_matmul_kernel<Warp, Tile, Along::rows, Along::rows>(args, stream);
  else if (args.args.transpose_b)
    launch_matmul_kernel<Warp, Tile, Along::depth, Along::depth>(args, stream);
  else
    launch_matmul_kernel<Warp, Tile, Along::depth, Along::rows>(args, stream);
}

// kernels/matmul_*.cu
void launch_matmul_ffma(const MatmulLaunch& args, Stream stream);
void launch_matmul_tf32(const MatmulLaunch& args, Stream stream);
void launch_matmul_tf32x3(const MatmulLaunch& args, Stream stream);
void launch_matmul_bfloat16(const MatmulLaunch& args, Stream stream);

}  // namespace downhill::cuda
