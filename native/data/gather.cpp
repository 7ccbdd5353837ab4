#include "data/gather.h"

#include <algorithm>
#include <cstring>

#include "backend/cpu/pool.h"

namespace downhill {

namespace {

constexpr int64_t kChunkBytes = 1 << 14;  // of a batch that one chunk fills
constexpr size_t kLine = 64;              // bytes of a cache line

/// Rows in a shuffled order are out of the hardware prefetcher's sight.
void prefetch(const std::byte* row, size_t bytes) {
  for (size_t at = 0; at < bytes; at += kLine) __builtin_prefetch(row + at);
}

template <typename To>
void convert_row(const Column& column, const std::byte* from, std::byte* to) {
  To* const target = reinterpret_cast<To*>(to);
  with_element(column.element, from, [&](const auto* source) {
    for (int64_t i = 0; i < column.width; ++i) target[i] = convert<To>(source[i]);
  });
}

}  // namespace

void gather(const Column& column, int64_t begin, const uint32_t* order, int64_t count, std::byte* to) {
  const size_t row_bytes = static_cast<size_t>(column.width) * size_of(column.dtype);
  const int64_t rows = std::max<int64_t>(1, kChunkBytes / std::max<int64_t>(1, static_cast<int64_t>(row_bytes)));
  cpu::parallel_for((count + rows - 1) / rows, [&](int64_t chunk) {
    const int64_t end = std::min(count, (chunk + 1) * rows);
    for (int64_t i = chunk * rows; i < end; ++i) {
      const std::byte* const from = column.row(begin + (order ? int64_t{order[i]} : i));
      if (order && i + 1 < end) prefetch(column.row(begin + int64_t{order[i + 1]}), column.row_bytes());
      std::byte* const target = to + static_cast<size_t>(i) * row_bytes;
      if (!column.converts())
        std::memcpy(target, from, row_bytes);
      else if (column.dtype == DType::float32)
        convert_row<float>(column, from, target);
      else
        convert_row<int32_t>(column, from, target);
    }
  });
}

void BatchGatherer::operator()(const Column& column, int64_t room, std::byte* to) {
  switch (column.layout) {
    case Column::Layout::dense:
      return gather(column, begin_, order_, count_, to);
    case Column::Layout::starts: {
      auto* const starts = reinterpret_cast<int32_t*>(to);
      gather_starts(*column.sparse, begin_, order_, count_, room, starts);
      starts_ = starts;
      return;
    }
    case Column::Layout::values:
      return gather_values(column, begin_, order_, count_, starts_, to);
  }
}

}  // namespace downhill
