#include "data/gather.h"

#include <algorithm>
#include <cstring>

#include "backend/cpu/pool.h"

namespace downhill {

namespace {

constexpr int64_t kChunkBytes = 1 << 16;  // of a batch that one chunk fills

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

}  // namespace downhill
