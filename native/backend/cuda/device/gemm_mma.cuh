// Products on tensor cores: how a fragment of float32 from shared memory becomes an operand of mma.sync, and how two
// of them are multiplied. A kind:
//
//   kDepth                          of one multiplication
//   Operand make(raw)               raw[i]: 16 rows by 8 of the depth, as Layout::load gives them
//   multiply(d, a, b, half)         d (16 rows of a, 8 of b) += a · b; half: which 8 of b's 16 rows
#pragma once
#include <type_traits>

#include "backend/cuda/device/mma.cuh"
#include "backend/cuda/device/platform.cuh"
#include "backend/cuda/device/tile_copy.cuh"
#include "backend/cuda/device/tile_layout.cuh"

namespace downhill::cuda {

struct Tf32 {
  static constexpr int kDepth = 8;
  struct Operand {
    uint32_t x[4];
  };
  static __device__ __forceinline__ Operand make(const uint32_t (&raw)[1][4]) {
    Operand operand;
    DH_UNROLL
    for (int i = 0; i < 4; ++i) operand.x[i] = to_tf32(__uint_as_float(raw[0][i]));
    return operand;
  }
  static __device__ __forceinline__ void multiply(float (&d)[4], const Operand& a, const Operand& b, int half) {
    const uint32_t columns[2] = {b.x[half], b.x[half + 2]};
    mma_m16n8k8_tf32(d, a.x, columns);
  }
};

/// x = big + small + rest with |rest| <= 2^-22 |x|: a·b by three products, leaving out small · small. Tensor cores cut
/// off low bits when they add, so only 8 products at a time are added there, and their sum is added to d with rounding.
struct Tf32x3 {
  static constexpr int kDepth = 8;
  struct Operand {
    uint32_t big[4], small[4];
  };
  static __device__ __forceinline__ Operand make(const uint32_t (&raw)[1][4]) {
    Operand operand;
    DH_UNROLL
    for (int i = 0; i < 4; ++i) {
      const float x = __uint_as_float(raw[0][i]);
      operand.big[i] = to_tf32(x);
      operand.small[i] = to_tf32(x - __uint_as_float(operand.big[i]));
    }
    return operand;
  }
  static __device__ __forceinline__ void multiply(float (&d)[4], const Operand& a, const Operand& b, int half) {
    const uint32_t big[2] = {b.big[half], b.big[half + 2]}, small[2] = {b.small[half], b.small[half + 2]};
    float sum[4] = {};
    mma_m16n8k8_tf32(sum, a.small, big);
    mma_m16n8k8_tf32(sum, a.big, small);
    mma_m16n8k8_tf32(sum, a.big, big);
    DH_UNROLL
    for (int i = 0; i < 4; ++i) d[i] += sum[i];
  }
};

/// The depth is taken in another order than mma.m16n8k16 names it (t and t + 4 as a pair), in both operands alike.
struct Bfloat16 {
  static constexpr int kDepth = 16;
  struct Operand {
    uint32_t x[4];
  };
  static __device__ __forceinline__ Operand make(const uint32_t (&raw)[2][4]) {
    Operand operand;
    DH_UNROLL
    for (int i = 0; i < 4; ++i) {
      const uint32_t (&eight)[4] = raw[i / 2];
      operand.x[i] = pack_bf16(__uint_as_float(eight[i % 2]), __uint_as_float(eight[i % 2 + 2]));
    }
    return operand;
  }
  static __device__ __forceinline__ void multiply(float (&d)[4], const Operand& a, const Operand& b, int half) {
    const uint32_t columns[2] = {b.x[half], b.x[half + 2]};
    mma_m16n8k16_bf16(d, a.x, columns);
  }
};

/// A warp's part of a tile of c: kRows x kColumns, accumulated in registers.
template <class Kind, class Tile>
class MmaWarp {
 public:
  template <Along kAlong, int kRows>
  using Layout =
      std::conditional_t<kAlong == Along::depth, DepthInside<kRows, Tile::kDepth>, RowsInside<kRows, Tile::kDepth, 8>>;

  template <class LayoutA, class LayoutB>
  __device__ __forceinline__ void multiply(const float* a, const float* b, int row0, int column0) {
    DH_UNROLL
    for (int k = 0; k < Tile::kDepth; k += Kind::kDepth) {
      typename Kind::Operand rows[kM], columns[kN / 2];
      DH_UNROLL
      for (int i = 0; i < kM; ++i) rows[i] = load<LayoutA>(a, row0 + i * 16, k);
      DH_UNROLL
      for (int j = 0; j < kN / 2; ++j) columns[j] = load<LayoutB>(b, column0 + j * 16, k);
      DH_UNROLL
      for (int i = 0; i < kM; ++i) {
        DH_UNROLL
        for (int j = 0; j < kN; ++j) Kind::multiply(sums_[i][j], rows[i], columns[j / 2], j % 2);
      }
    }
  }

  /// visit(row, column, x, y) for neighbours in a row; position within the warp's part.
  template <typename Visit>
  __device__ __forceinline__ void for_each(Visit visit) const {
    const int lane = lane_id(), row = lane >> 2, column = (lane & 3) * 2;
    DH_UNROLL
    for (int i = 0; i < kM; ++i) {
      DH_UNROLL
      for (int j = 0; j < kN; ++j) {
        visit(i * 16 + row, j * 8 + column, sums_[i][j][0], sums_[i][j][1]);
        visit(i * 16 + row + 8, j * 8 + column, sums_[i][j][2], sums_[i][j][3]);
      }
    }
  }

 private:
  static constexpr int kM = Tile::kWarpRows / 16, kN = Tile::kWarpColumns / 8;
  static_assert(Tile::kWarpRows % 16 == 0 && Tile::kWarpColumns % 16 == 0, "whole fragments");

  template <class Layout>
  static __device__ __forceinline__ typename Kind::Operand load(const float* tile, int row0, int k0) {
    uint32_t raw[Kind::kDepth / 8][4];
    DH_UNROLL
    for (int i = 0; i < Kind::kDepth / 8; ++i) Layout::load(raw[i], tile, row0, k0 + i * 8);
    return Kind::make(raw);
  }

  float sums_[kM][kN][4] = {};
};

}  // namespace downhill::cuda
