// Commands of this family; made by host/lower/normalization.cpp, launched by kernels/normalization.cu.
#pragma once
#include <cstdint>

#include "backend/cuda/commands/rows.h"

namespace downhill::cuda {

/// Of rows (rows, n): by mean and variance, or (centered: false) by the root of the mean square.
struct NormalizationArgs {
  const float* x;
  const float* gamma;  // (n); null: 1
  const float* beta;   // (n); null: 0
  float* y;
  int64_t rows, n;
  float epsilon;
  bool centered;
};

/// The sums over the rows of each piece: [k · piece, (k + 1) · piece) within [0, rows).
struct NormalizationGradientArgs {
  const float* x;
  const float* d_y;
  const float* gamma;  // (n); null: 1
  float* d_x;          // may be x or d_y; null: not wanted
  float* scale_sums;   // (pieces, n): Σ d_y · x̂; null: not wanted
  float* d_sums;       // (pieces, n): Σ d_y; null: not wanted
  int64_t rows, n, piece;
  float epsilon;
  bool centered;
};

constexpr int kNormalizationThreads = 256;

/// On the way back a thread keeps less of a row than kWarpRow and kBlockRow say, beside its gradient and two sums.
constexpr int64_t kGradientWarpRow = 256, kGradientBlockRow = 4096;

/// Rows that a block has side by side in the registers of its threads, on the way back.
inline int rows_side_by_side(int64_t n) { return n <= kGradientWarpRow ? kNormalizationThreads / row_lanes(n) : 1; }

}  // namespace downhill::cuda
