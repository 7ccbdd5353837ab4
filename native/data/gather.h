// Rows of a column into a batch.
#pragma once
#include <cstddef>
#include <cstdint>

#include "data/dataset.h"

namespace downhill {

/// to (count, width) of column.dtype ← rows begin + order[i] of the column, for i in [0, count); a null order counts up
/// from begin. On the pool; allocates nothing.
void gather(const Column& column, int64_t begin, const uint32_t* order, int64_t count, std::byte* to);

}  // namespace downhill
