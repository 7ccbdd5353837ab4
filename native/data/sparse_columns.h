// Sparse rows (CSR) in a data set: three columns, in the order of a program's inputs: where rows begin, indices,
// values.
#pragma once
#include <cstdint>
#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "core/storage.h"

namespace downhill {

struct Column;

/// What sparse columns are made from; all of it is copied.
struct SparseSource {
  const int32_t* indptr = nullptr;                      // (rows + 1)
  const int32_t* indices = nullptr;                     // (count)
  const float* values = nullptr;                        // (count)
  size_t starts = 0, index_count = 0, value_count = 0;  // available there
  int64_t columns = 0;
};

/// Where the rows of sparse columns lie.
struct SparseIndex {
  Storage indptr;                                    // (rows + 1) of int32
  std::vector<std::pair<int64_t, int64_t>> lengths;  // that rows have, longest first, and how many rows have it

  const int32_t* starts() const { return reinterpret_cast<const int32_t*>(indptr.host()); }
  /// Most values that so many rows have together, when each is there once, or any number of times.
  int64_t most(int64_t rows, bool repeats) const;
  /// The same rounded up to a power of two, so that data alike share programs.
  int64_t room(int64_t rows, bool repeats) const;
};

/// Copies, checks and sorts rows by column. Throws OUT_OF_RANGE, SHAPE_MISMATCH, and with `finite` NON_FINITE.
std::vector<Column> sparse_columns(const std::string& name, const SparseSource& source, int64_t rows, bool finite);

/// starts (count + 1) of the batch ← of rows begin + order[i] of the data set; a null order counts up from begin.
/// Throws INTERNAL where they have more values than `room`.
void gather_starts(const SparseIndex& index, int64_t begin, const uint32_t* order, int64_t count, int64_t room,
                   int32_t* starts);
/// to (starts[count]) ← indices or values of those rows.
void gather_values(const Column& column, int64_t begin, const uint32_t* order, int64_t count, const int32_t* starts,
                   std::byte* to);

}  // namespace downhill
