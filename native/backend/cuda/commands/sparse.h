// Steps on sparse rows (CSR), and batches of them.
#pragma once
#include <cstdint>

#include "backend/cuda/commands/step.h"

namespace downhill::cuda {

/// Row r has the values [indptr[r], indptr[r + 1]), in columns that ascend. What breaks that rule is passed over:
/// nothing is read or written through it.
struct SparseMatrix {
  const int32_t* indptr;   // (rows + 1)
  const int32_t* indices;  // (room)
  const float* values;     // (room)
  int64_t rows, columns, room;
};

/// Stops the step at the first entry of indptr, else the first index, that breaks it (plan/indices.h has the
/// positions).
struct CheckSparseArgs {
  SparseMatrix a;
  int32_t id;
  StepState* state;
};

/// y (rows, n) = a · b (columns, n); transposed: y (columns, n) = aᵀ · b (rows, n)
struct SparseProductArgs {
  SparseMatrix a;
  const float* b;
  float* y;
  int64_t n;
  bool transposed;
};

/// y[k] = ⟨left[row of k], right[column of k]⟩, 0 for what is of no row
struct SparseDotsArgs {
  SparseMatrix a;             // without values
  const float *left, *right;  // (rows, n), (columns, n)
  float* y;                   // (room)
  int64_t n;
};

/// y[k]: what dropout of the dense matrix makes of value k
struct SparseDropoutArgs {
  SparseMatrix a;
  float* y;  // (room)
  float rate;
  uint64_t key;
  const StepState* state;
};

/// starts (rows + 1) of a batch ← of rows begin + order[position + i] of the data set.
struct LoadStartsArgs {
  const int32_t* indptr;  // of the data set
  const uint32_t* order;  // of the epoch; null: in order
  int32_t* starts;
  int64_t begin, rows, room;
  const StepState* state;
};

/// to (room) ← the indices or values of those rows, of four bytes each.
struct LoadValuesArgs {
  const uint32_t* column;  // of the data set
  const int32_t* indptr;
  const uint32_t* order;
  const int32_t* starts;  // of the batch
  uint32_t* to;
  int64_t begin, rows;
  const StepState* state;
};

/// to (words) ← the batch of this step among those that the host has gathered, one after the other.
struct LoadGatheredArgs {
  const uint32_t* batches;  // (steps, words)
  uint32_t* to;
  int64_t words, rows;
  const StepState* state;
};

}  // namespace downhill::cuda
