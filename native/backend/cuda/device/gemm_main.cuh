// The main loop of all matrix products: a block computes one tile of c. Operands, arithmetic and epilogue are policies
// (tile_copy.cuh; gemm_mma.cuh, gemm_ffma.cuh; gemm_epilogue.cuh), so that a convolution can use it as well.
#pragma once
#include "backend/cuda/device/copy_async.cuh"
#include "backend/cuda/device/platform.cuh"
#include "backend/cuda/device/tile_copy.cuh"

namespace downhill::cuda {

/// A block's tile of c, the part of a warp, the depth of a step, and how many steps lie in shared memory at a time: one
/// is being read while the others are on their way. So many blocks must fit the registers of a multiprocessor; 0: the
/// compiler decides.
template <int kRows_, int kColumns_, int kDepth_, int kWarpRows_, int kWarpColumns_, int kStages_, int kBlocks_>
struct GemmTile {
  static constexpr int kRows = kRows_, kColumns = kColumns_, kDepth = kDepth_;
  static constexpr int kWarpRows = kWarpRows_, kWarpColumns = kWarpColumns_, kStages = kStages_;
  static constexpr int kBlocks = kBlocks_;
  static constexpr int kWarpsDown = kRows / kWarpRows, kWarpsAcross = kColumns / kWarpColumns;
  static constexpr int kThreads = 32 * kWarpsDown * kWarpsAcross;
};

/// Shared memory of a tile with operands of two layouts.
template <class Warp, class Tile, Along kAlongA, Along kAlongB>
struct GemmShared {
  using LayoutA = typename Warp::template Layout<kAlongA, Tile::kRows>;
  using LayoutB = typename Warp::template Layout<kAlongB, Tile::kColumns>;
  static constexpr int kStageFloats = LayoutA::kFloats + LayoutB::kFloats;
  // What a block may have on every architecture from 8.0 on; no tile of the float32 cores comes near.
  static constexpr int kMostFloats = 99 * 1024 / sizeof(float);
  static constexpr int kFitting = kMostFloats / kStageFloats;
  static constexpr int kStages = Tile::kStages < kFitting ? Tile::kStages : kFitting;
  static_assert(kStages >= 3, "copies need a step's time to arrive");
  // The epilogue passes the sums through shared memory: all at once where the stages leave room for them, so that they
  // need no registers from there on, else one row of warps after the other.
  static constexpr bool kAllFit = Tile::kRows * Tile::kColumns <= kStages * kStageFloats;
  static constexpr int kStagedRows = kAllFit ? Tile::kRows : Tile::kWarpRows;
  static constexpr int kStagedFloats = kStagedRows * Tile::kColumns;
  static constexpr size_t kBytes =
      sizeof(float) * (kStages * kStageFloats > kStagedFloats ? kStages * kStageFloats : kStagedFloats);
};

/// c[row0 …, column0 …] of the sum over depths [k_begin, k_end). The operands' `depth` is at most k_end. The epilogue
/// is asked for, by make_epilogue(), when the sums are there: until then it needs no registers. column_sums looks at
/// b's tiles on their way (gemm_column_sums.cuh).
template <class Warp, class Tile, class OperandA, class OperandB, class ColumnSums, class MakeEpilogue>
__device__ __forceinline__ void gemm(float* shared, const OperandA& a, const OperandB& b, int64_t row0, int64_t column0,
                                     int64_t k_begin, int64_t k_end, ColumnSums column_sums,
                                     MakeEpilogue make_epilogue) {
  using Shared = GemmShared<Warp, Tile, OperandA::kAlong, OperandB::kAlong>;
  using LayoutA = typename Shared::LayoutA;
  using LayoutB = typename Shared::LayoutB;
  constexpr int kStages = Shared::kStages, kThreads = Tile::kThreads, kOffsetB = LayoutA::kFloats;
  const int thread = static_cast<int>(threadIdx.x), warp = thread / 32;
  const int warp_row = warp / Tile::kWarpsAcross, warp_column = warp % Tile::kWarpsAcross;

  const auto start_copy = [&](int64_t k, int to) {
    if (k < k_end) {
      float* const stage = shared + to * Shared::kStageFloats;
      copy_tile<LayoutA, kThreads>(stage, a, row0, k);
      copy_tile<LayoutB, kThreads>(stage + kOffsetB, b, column0, k);
    }
    copy_async_commit();  // a group per step, be it empty: the wait below counts groups
  };

  Warp sums;
  DH_UNROLL
  for (int step = 0; step < kStages - 1; ++step) start_copy(k_begin + step * Tile::kDepth, step);
  int read = 0, write = kStages - 1;
  DH_UNROLL_BY(1)
  for (int64_t k = k_begin; k < k_end; k += Tile::kDepth) {
    copy_async_wait<kStages - 2>();
    __syncthreads();  // this step's tiles are there for all, and nobody reads the stage that is filled next
    start_copy(k + (kStages - 1) * Tile::kDepth, write);
    const float* const stage = shared + read * Shared::kStageFloats;
    read = read + 1 == kStages ? 0 : read + 1;
    write = write + 1 == kStages ? 0 : write + 1;
    sums.template multiply<LayoutA, LayoutB>(stage, stage + kOffsetB, warp_row * Tile::kWarpRows,
                                             warp_column * Tile::kWarpColumns);
    column_sums.template add<LayoutB>(stage + kOffsetB);
  }
  copy_async_wait<0>();
  column_sums.store(shared, column0);

  const auto epilogue = make_epilogue();
  // Four neighbours a thread: always the same columns, worked out anew for each, as sums that did not fit in yet fill
  // the registers until the last pass.
  constexpr int kAcross = Tile::kColumns / 4, kDown = kThreads / kAcross;
  static_assert(kThreads % kAcross == 0 && Tile::kWarpRows % kDown == 0, "every thread the same number of rows");
  // Rows are swizzled so that the two-float stores of a warp meet in no bank.
  const auto staged = [&](int row, int column) { return shared + row * Tile::kColumns + (column ^ (row & 3) << 3); };
  constexpr int kStagedRows = Shared::kStagedRows;
  DH_UNROLL_BY(1)
  for (int pass = 0; pass < Tile::kRows / kStagedRows; ++pass) {
    const int staged_row = warp_row * Tile::kWarpRows - pass * kStagedRows;
    __syncthreads();
    if (staged_row >= 0 && staged_row < kStagedRows)
      sums.for_each([&](int row, int column, float x, float y) {
        *reinterpret_cast<float2*>(staged(staged_row + row, warp_column * Tile::kWarpColumns + column)) =
            make_float2(x, y);
      });
    __syncthreads();
    DH_UNROLL_BY(1)
    for (int row = thread_again() / kAcross; row < kStagedRows; row += kDown) {
      const int across = thread_again() % kAcross * 4;
      epilogue(row0 + pass * kStagedRows + row, column0 + across,
               *reinterpret_cast<const float4*>(staged(row, across)));
    }
  }
}

}  // namespace downhill::cuda
