// Products with sparse rows.
#pragma once
#include <cstdint>

namespace downhill::cpu {

/// Row r has the values [indptr[r], indptr[r + 1]), in columns that ascend.
struct SparseRows {
  const int32_t* indptr;   // (rows + 1)
  const int32_t* indices;  // column of each value
  const float* values;
  int64_t rows, columns;
};

/// Each element of a result is summed in an order that the shapes alone fix: tasks may be cut anywhere.
struct SparseKernels {
  /// Where the first index is that is outside of its range or less than the one before it in its row; `count` + r where
  /// it is indptr[r], which must ascend in [0, count]; -1: nowhere.
  int64_t (*first_wrong)(const SparseRows& a, int64_t count);
  /// y (rows, n) = a · b (columns, n), for rows [begin, end)
  void (*product)(const SparseRows& a, const float* b, float* y, int64_t n, int64_t begin, int64_t end);
  /// y (columns, n) = aᵀ · b (rows, n), for columns [begin, end)
  void (*transposed)(const SparseRows& a, const float* b, float* y, int64_t n, int64_t begin, int64_t end);
  /// y += aᵀ · b, for columns [begin, end)
  void (*add_transposed)(const SparseRows& a, const float* b, float* y, int64_t n, int64_t begin, int64_t end);
  /// y[k] = ⟨left[row of k], right[column of k]⟩ for the values of rows [begin, end); left (rows, n), right (columns,
  /// n)
  void (*dots)(const SparseRows& a, const float* left, const float* right, float* y, int64_t n, int64_t begin,
               int64_t end);
  /// y[k]: what `dropout` of the dense matrix (rows, columns) makes of value k, for rows [begin, end)
  void (*dropout)(const SparseRows& a, float* y, float rate, uint64_t key, uint64_t step, int64_t begin, int64_t end);
};

}  // namespace downhill::cpu
