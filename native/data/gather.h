// Rows of a column into a batch.
#pragma once
#include <cstddef>
#include <cstdint>

#include "data/dataset.h"

namespace downhill {

/// to (count, width) of column.dtype ← rows begin + order[i] of the column, for i in [0, count); a null order counts up
/// from begin. On the pool; allocates nothing.
void gather(const Column& column, int64_t begin, const uint32_t* order, int64_t count, std::byte* to);

/// The same for columns of any layout, one after the other: those of sparse rows follow the one that says where they
/// begin. Throws INTERNAL where sparse rows have more values than there is room for.
class BatchGatherer {
 public:
  BatchGatherer(int64_t begin, const uint32_t* order, int64_t count) : begin_(begin), order_(order), count_(count) {}
  /// `room`: for the values of sparse rows.
  void operator()(const Column& column, int64_t room, std::byte* to);

 private:
  const int64_t begin_;
  const uint32_t* const order_;
  const int64_t count_;
  const int32_t* starts_ = nullptr;  // of the sparse rows in hand
};

}  // namespace downhill
