// What rows.cu does with a row, one struct for each RowOp; formulas: ops/rows.h.
//
//   kTop       needs the largest element
//   kOnline    of[0] is a sum of exponentials, and no other sum depends on the largest element
//   kElements  `second` has the shape of x; kLabels: `second` holds labels
//   kGradient  reads d_y of the row
//   kOne       gives one number for each row: one(…); else value(…) for each element
//   kSums      over the row: add(…), from an element x, what was kept of it, and that of `second`
//   keep       what value(…) takes of x
//   factor     what value(…) and one(…) take of the sums
#pragma once
#include "backend/cuda/device/platform.cuh"
#include "ops/rows.h"

namespace downhill::cuda {

namespace math = downhill::DH_ISA::math;
namespace row = downhill::DH_ISA::row;

struct RowSums {
  float of[3];
};

struct RowValues {
  float top, factor, d_y;
  int32_t label;
};

#define DH_ROW_FUNCTION static __device__ __forceinline__

/// Sum 0: Σ exp(x - top), from the exponentials that are kept.
struct KeepsExponentials {
  static constexpr bool kTop = true, kOnline = true;
  DH_ROW_FUNCTION float keep(float x, float top) { return row::shifted_exp(x, top); }
  DH_ROW_FUNCTION float one(const RowValues&, const RowSums&, float) { return 0.0f; }
};
/// Sum 0 as above, from the elements.
struct KeepsElements {
  static constexpr bool kTop = true, kOnline = true, kElements = false, kLabels = false, kGradient = false;
  static constexpr int kSums = 1;
  DH_ROW_FUNCTION float keep(float x, float) { return x; }
  DH_ROW_FUNCTION void add(RowSums& sums, float x, float, float, float top) { sums.of[0] += row::shifted_exp(x, top); }
  DH_ROW_FUNCTION float factor(const RowSums& sums) { return math::log(sums.of[0]); }
  DH_ROW_FUNCTION float value(float x, float, bool, const RowValues& v) { return row::log_softmax(x, v.top, v.factor); }
  DH_ROW_FUNCTION float one(const RowValues&, const RowSums&, float) { return 0.0f; }
};

struct Softmax : KeepsExponentials {
  static constexpr bool kElements = false, kLabels = false, kGradient = false, kOne = false;
  static constexpr int kSums = 1;
  DH_ROW_FUNCTION void add(RowSums& sums, float, float kept, float, float) { sums.of[0] += kept; }
  DH_ROW_FUNCTION float factor(const RowSums& sums) { return 1.0f / sums.of[0]; }
  DH_ROW_FUNCTION float value(float kept, float, bool, const RowValues& v) { return kept * v.factor; }
};

struct LogSoftmax : KeepsElements {
  static constexpr bool kOne = false;
};

struct LogSumExp : KeepsElements {
  static constexpr bool kOne = true;
  DH_ROW_FUNCTION float one(const RowValues& v, const RowSums&, float) { return row::log_sum_exp(v.top, v.factor); }
};

struct SparseCrossEntropy : KeepsElements {
  static constexpr bool kOne = true, kLabels = true;
  DH_ROW_FUNCTION float one(const RowValues& v, const RowSums&, float x_label) {
    return row::sparse_cross_entropy(x_label, v.top, v.factor);
  }
};

/// Sum 1: of the targets. Sum 2: of the terms.
struct CrossEntropy : KeepsElements {
  static constexpr bool kOnline = false, kElements = true, kOne = true;
  static constexpr int kSums = 3;
  DH_ROW_FUNCTION void add(RowSums& sums, float x, float, float t, float top) {
    sums.of[0] += row::shifted_exp(x, top);
    sums.of[1] += t;
    sums.of[2] += row::cross_entropy_term(x, t, top);
  }
  DH_ROW_FUNCTION float one(const RowValues& v, const RowSums& sums, float) {
    return row::cross_entropy(sums.of[1], v.factor, sums.of[2]);
  }
};

/// Sum 1: of the targets.
struct CrossEntropyGrad : KeepsExponentials {
  static constexpr bool kElements = true, kLabels = false, kGradient = true, kOne = false;
  static constexpr int kSums = 2;
  DH_ROW_FUNCTION void add(RowSums& sums, float, float kept, float t, float) {
    sums.of[0] += kept;
    sums.of[1] += t;
  }
  DH_ROW_FUNCTION float factor(const RowSums& sums) { return sums.of[1] / sums.of[0]; }
  DH_ROW_FUNCTION float value(float kept, float t, bool, const RowValues& v) {
    return row::cross_entropy_grad(kept, v.factor, t, v.d_y);
  }
};

struct SparseCrossEntropyGrad : Softmax {
  static constexpr bool kLabels = true, kGradient = true;
  DH_ROW_FUNCTION float value(float kept, float, bool is_label, const RowValues& v) {
    return row::cross_entropy_grad(kept, v.factor, is_label ? 1.0f : 0.0f, v.d_y);
  }
};

/// `second` is d_y of each element; x is the result of the function whose gradient is taken.
struct OfResult {
  static constexpr bool kTop = false, kOnline = false, kElements = true, kLabels = false, kGradient = false,
                        kOne = false;
  static constexpr int kSums = 1;
  DH_ROW_FUNCTION float keep(float y, float) { return y; }
  DH_ROW_FUNCTION float factor(const RowSums& sums) { return sums.of[0]; }
  DH_ROW_FUNCTION float one(const RowValues&, const RowSums&, float) { return 0.0f; }
};

struct SoftmaxGrad : OfResult {
  DH_ROW_FUNCTION void add(RowSums& sums, float y, float, float d_y, float) { sums.of[0] += y * d_y; }
  DH_ROW_FUNCTION float value(float y, float d_y, bool, const RowValues& v) {
    return row::softmax_grad(y, d_y, v.factor);
  }
};

struct LogSoftmaxGrad : OfResult {
  DH_ROW_FUNCTION void add(RowSums& sums, float, float, float d_y, float) { sums.of[0] += d_y; }
  DH_ROW_FUNCTION float value(float y, float d_y, bool, const RowValues& v) {
    return row::log_softmax_grad(y, d_y, v.factor);
  }
};

#undef DH_ROW_FUNCTION

}  // namespace downhill::cuda
