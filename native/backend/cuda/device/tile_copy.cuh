// From global memory into a tile in shared memory, asynchronously. What an operand is, is a policy:
//
//   static constexpr Along kAlong              the direction in which its elements are neighbours in memory
//   bool vectors                               whether four neighbours may be read at once
//   Piece<Along>(row, k, count)                where `count` neighbours from (row, k) on lie, and how many exist
//
// A matrix is one such operand; the patches of a convolution's input can be another.
#pragma once
#include "backend/cuda/device/copy_async.cuh"
#include "backend/cuda/device/platform.cuh"
#include "backend/cuda/device/tile_layout.cuh"

namespace downhill::cuda {

enum class Along : uint8_t {
  depth,  // the inner dimension
  rows,
  either,  // known at run time: member along_depth
};

struct Piece {
  const float* from;
  int count;  // elements that exist; the others are zeros
};

__device__ __forceinline__ int clamped(int64_t left, int most) {
  return left <= 0 ? 0 : left < most ? static_cast<int>(left) : most;
}

/// A matrix (rows, depth), or its transpose in memory.
template <Along kAlong_>
struct MatrixOperand {
  static constexpr Along kAlong = kAlong_;
  const float* data;
  int64_t ld;     // elements between lines in memory
  int64_t rows;   // that exist
  int64_t depth;  // likewise
  bool along_depth;
  bool vectors;  // data, ld: multiples of 16 bytes

  template <bool kAlongDepth>
  __device__ __forceinline__ Piece piece(int64_t row, int64_t k, int count) const {
    const int64_t line = kAlongDepth ? row : k, at = kAlongDepth ? k : row;
    const int64_t lines = kAlongDepth ? rows : depth, length = kAlongDepth ? depth : rows;
    const int exist = line < lines ? clamped(length - at, count) : 0;
    return {exist > 0 ? data + line * ld + at : data, exist};
  }
};

/// The thread's number, new to the compiler each time: what follows from it is worked out where it is used. Otherwise
/// the addresses of all copies wait in registers throughout the main loop.
__device__ __forceinline__ int thread_again() {
  int thread = static_cast<int>(threadIdx.x);
#if defined(__CUDACC__)
  asm volatile("" : "+r"(thread));
#endif
  return thread;
}

template <class Layout, int kThreads, bool kAlongDepth, class Operand>
__device__ __forceinline__ void copy_tile_along(float* tile, const Operand& operand, int64_t row0, int64_t k0) {
  const int thread = thread_again();
  constexpr int kRows = Layout::kRows, kDepth = Layout::kDepth;
  if constexpr (Layout::kDepthInside == kAlongDepth) {
    if (operand.vectors) {
      constexpr int kInside = (kAlongDepth ? kDepth : kRows) / 4, kPieces = kRows * kDepth / 4;
      static_assert(kPieces % kThreads == 0, "every thread copies the same number of pieces");
      DH_UNROLL
      for (int i = 0; i < kPieces / kThreads; ++i) {
        const int at = i * kThreads + thread, inside = at % kInside * 4, outside = at / kInside;
        const int row = kAlongDepth ? outside : inside, k = kAlongDepth ? inside : outside;
        const Piece piece = operand.template piece<kAlongDepth>(row0 + row, k0 + k, 4);
        copy_async_16(tile + Layout::at(row, k), piece.from, 4 * piece.count);
      }
      return;
    }
  }
  // Element by element. A warp reads neighbours in memory; where these lie across the layout, 4 times 8 of them.
  constexpr int kElements = kRows * kDepth;
  static_assert(kElements % kThreads == 0, "every thread copies the same number of elements");
  DH_UNROLL_BY(4)
  for (int i = 0; i < kElements / kThreads; ++i) {
    const int at = i * kThreads + thread;
    int row, k;
    if constexpr (!kAlongDepth) {
      row = at % kRows, k = at / kRows;
    } else if constexpr (Layout::kDepthInside) {
      k = at % kDepth, row = at / kDepth;
    } else {
      const int patch = at / 32, within = at % 32;  // of 4 rows by 8
      k = patch % (kDepth / 8) * 8 + within % 8, row = patch / (kDepth / 8) * 4 + within / 8;
    }
    const Piece piece = operand.template piece<kAlongDepth>(row0 + row, k0 + k, 1);
    copy_async_4(tile + Layout::at(row, k), piece.from, 4 * piece.count);
  }
}

/// Starts to copy rows row0 …, depths k0 … of the operand; all threads of the block take part.
template <class Layout, int kThreads, class Operand>
__device__ __forceinline__ void copy_tile(float* tile, const Operand& operand, int64_t row0, int64_t k0) {
  if constexpr (Operand::kAlong == Along::either) {
    if (operand.along_depth)
      copy_tile_along<Layout, kThreads, true>(tile, operand, row0, k0);
    else
      copy_tile_along<Layout, kThreads, false>(tile, operand, row0, k0);
  } else {
    copy_tile_along<Layout, kThreads, Operand::kAlong == Along::depth>(tile, operand, row0, k0);
  }
}

}  // namespace downhill::cuda
