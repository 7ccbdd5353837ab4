// How a tile of an operand lies in shared memory: `kRows` rows of a (or columns of b) by `kDepth` of the inner
// dimension, such that neither the copies into shared memory nor the reads of a warp meet in one bank.
#pragma once
#include "backend/cuda/device/mma.cuh"
#include "backend/cuda/device/platform.cuh"

#if defined(__CUDACC__)
#define DH_PRAGMA_(text) _Pragma(#text)
#define DH_UNROLL_BY(times) DH_PRAGMA_(unroll times)
#else
#define DH_UNROLL_BY(times)
#endif

namespace downhill::cuda {

/// [row][depth] with 16-byte chunks swizzled by XOR, for operands that are contiguous along the depth.
template <int kRows_, int kDepth_>
struct DepthInside {
  static constexpr int kRows = kRows_, kDepth = kDepth_, kFloats = kRows * kDepth;
  static constexpr bool kDepthInside = true;
  static_assert(kDepth == 16 || kDepth == 32, "chunks of 8 neighbouring rows must fill the 32 banks");
  static __device__ __forceinline__ int at(int row, int k) {
    const int swizzle = kDepth == 32 ? row & 7 : (row >> 1) & 3;
    return row * kDepth + (((k >> 2) ^ swizzle) << 2 | (k & 3));
  }

  /// Lane 4g + t of a warp gets of rows row0 … row0 + 15 and depths k0 … k0 + 7 the elements (g, t), (g + 8, t),
  /// (g, t + 4), (g + 8, t + 4): what mma.m16n8k8 wants. A matrix of ldmatrix is 8 rows of 4 floats.
  static __device__ __forceinline__ void load(uint32_t (&to)[4], const float* tile, int row0, int k0) {
    const int lane = lane_id();
    ldmatrix_x4(to, tile + at(row0 + (lane & 15), k0 + (lane >> 4) * 4));
  }
};

/// [depth][row] with a gap between the lines, for operands that are contiguous along the rows, and for the float32
/// cores. The gap instead of a swizzle: addresses then differ by constants, which cost no registers.
template <int kRows_, int kDepth_, int kGap>
struct RowsInside {
  static constexpr int kRows = kRows_, kDepth = kDepth_, kPitch = kRows + kGap, kFloats = kDepth * kPitch;
  static constexpr bool kDepthInside = false;
  static_assert(kRows % 32 == 0 && kGap % 4 == 0, "16-byte chunks; lines `kGap` banks apart");
  static __device__ __forceinline__ int at(int row, int k) { return k * kPitch + row; }

  /// As above. With a gap of 8 the 4 times 8 reads of a warp go to 32 banks.
  static __device__ __forceinline__ void load(uint32_t (&to)[4], const float* tile, int row0, int k0) {
    const int lane = lane_id(), g = lane >> 2, t = lane & 3;
    DH_UNROLL
    for (int i = 0; i < 4; ++i) to[i] = __float_as_uint(tile[at(row0 + g + (i & 1) * 8, k0 + t + (i >> 1) * 4)]);
  }
};

}  // namespace downhill::cuda
