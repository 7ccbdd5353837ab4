// Products on the float32 cores: every thread keeps an outer product of 4 or 8 rows by 4 or 8 columns.
#pragma once
#include "backend/cuda/device/mma.cuh"
#include "backend/cuda/device/platform.cuh"
#include "backend/cuda/device/tile_copy.cuh"
#include "backend/cuda/device/tile_layout.cuh"

namespace downhill::cuda {

/// Operands as they are.
struct Exact {
  static __device__ __forceinline__ float operand(float x) { return x; }
};
/// Operands rounded to bfloat16.
struct RoundedToBfloat16 {
  static __device__ __forceinline__ float operand(float x) { return bf16_high(pack_bf16(0.0f, x)); }
};

template <class Rounding, class Tile>
class FfmaWarp {
 public:
  template <Along, int kRows>
  using Layout = RowsInside<kRows, Tile::kDepth, 4>;  // a warp writes 8 depths by 4 rows of a transposed operand

  template <class LayoutA, class LayoutB>
  __device__ __forceinline__ void multiply(const float* a, const float* b, int row0, int column0) {
    const int lane = lane_id();
    DH_UNROLL
    for (int k = 0; k < Tile::kDepth; ++k) {
      float rows[kM][4], columns[kN][4];
      DH_UNROLL
      for (int i = 0; i < kM; ++i) load(rows[i], a + LayoutA::at(row0 + i * 32 + (lane >> 2) * 4, k));
      DH_UNROLL
      for (int j = 0; j < kN; ++j) load(columns[j], b + LayoutB::at(column0 + j * 16 + (lane & 3) * 4, k));
      DH_UNROLL
      for (int i = 0; i < kM * 4; ++i) {
        DH_UNROLL
        for (int j = 0; j < kN * 4; ++j) sums_[i][j] += rows[i / 4][i % 4] * columns[j / 4][j % 4];
      }
    }
  }

  template <typename Visit>
  __device__ __forceinline__ void for_each(Visit visit) const {
    const int lane = lane_id(), row = (lane >> 2) * 4, column = (lane & 3) * 4;
    DH_UNROLL
    for (int i = 0; i < kM * 4; ++i) {
      DH_UNROLL
      for (int j = 0; j < kN * 4; j += 2)
        visit(i / 4 * 32 + row + i % 4, j / 4 * 16 + column + j % 4, sums_[i][j], sums_[i][j + 1]);
    }
  }

 private:
  static constexpr int kM = Tile::kWarpRows / 32, kN = Tile::kWarpColumns / 16;  // groups of four
  static_assert(Tile::kWarpRows % 32 == 0 && Tile::kWarpColumns % 16 == 0, "8 x 4 lanes of 4 x 4");

  static __device__ __forceinline__ void load(float (&to)[4], const float* from) {
    const float4 four = *reinterpret_cast<const float4*>(from);
    to[0] = Rounding::operand(four.x), to[1] = Rounding::operand(four.y);
    to[2] = Rounding::operand(four.z), to[3] = Rounding::operand(four.w);
  }

  float sums_[kM * 4][kN * 4] = {};
};

}  // namespace downhill::cuda
