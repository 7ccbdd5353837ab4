// Commands of this family; made by host/lower/rows.cpp, launched by kernels/rows.cu.
#pragma once
#include <cstdint>

namespace downhill::cuda {

enum class RowOp : uint8_t {
  softmax,
  log_softmax,
  log_sum_exp,
  softmax_grad,
  log_softmax_grad,
  cross_entropy,
  cross_entropy_grad,
  sparse_cross_entropy,
  sparse_cross_entropy_grad,
};

/// A row is x[o, :, i]. Results are arrays like x, or one number for each row (log_sum_exp, cross-entropies).
struct RowsArgs {
  const float* x;  // (outer, n, inner): logits; of gradients the result of softmax or log_softmax
  /// float like x: d_y of softmax_grad and log_softmax_grad, targets; int32 (outer, inner): labels, those outside [0,
  /// n) give NaN (losses) or count as none (gradients); null
  const void* second;
  const float* d_y;  // (outer, inner): gradients of cross-entropies; null
  float* y;
  int64_t outer, n, inner;
  RowOp op;
};

/// Which kernel: rows of up to kWarpRow elements that are contiguous lie in the registers of a few threads, those up to
/// kBlockRow in a block's; others are read twice.
constexpr int64_t kWarpRow = 512, kBlockRow = 8192;

/// Threads that share a row of up to kWarpRow elements: a power of two.
inline int row_lanes(int64_t n) {
  int lanes = 1;
  while (lanes < 32 && lanes * 4 < n) lanes *= 2;
  return lanes;
}

}  // namespace downhill::cuda
