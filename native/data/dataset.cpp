#include "data/dataset.h"

#include <algorithm>
#include <atomic>
#include <cstdio>
#include <cstring>

#include "backend/cpu/kernels/table.h"
#include "backend/cpu/pool.h"
#include "core/error.h"

namespace downhill {

namespace {

constexpr int64_t kChunk = 1 << 16;             // elements of a check, bytes of a copy
constexpr int64_t kMaxRows = int64_t{1} << 32;  // a permutation has 32-bit indices

int64_t chunks_of(int64_t elements) { return (elements + kChunk - 1) / kChunk; }

bool usable(float value, DType dtype) {
  if (dtype == DType::float32) return std::isfinite(value);
  return std::isfinite(value) && convert<int32_t>(value) == static_cast<double>(value);
}
bool usable(double value, DType dtype) {
  if (dtype == DType::float32) return std::isfinite(static_cast<float>(value));
  return std::isfinite(value) && convert<int32_t>(value) == value;
}
bool usable(int32_t, DType) { return true; }
bool usable(uint8_t, DType) { return true; }

template <typename From>
int64_t first_unusable(const From* x, int64_t n, DType dtype) {
  for (int64_t i = 0; i < n; ++i)
    if (!usable(x[i], dtype)) return i;
  return -1;
}

[[noreturn]] void throw_unusable(const Column& column, int64_t index, double value) {
  char number[32];
  std::snprintf(number, sizeof number, "%g", value);
  const std::string at = column.name + "[row " + std::to_string(index / column.width) + ", element " +
                         std::to_string(index % column.width) + "] is " + (std::isnan(value) ? "NaN" : number);
  if (column.dtype == DType::int32 && std::isfinite(value))
    throw Error(code::kInvalidArgument,
                at + "; expected a whole number that fits in int32. Round or encode the values first.");
  if (std::isfinite(value))
    throw Error(code::kNonFinite, at + ", which is infinite in float32; scale the values first.");
  throw Error(code::kNonFinite, at + "; expected finite numbers. Remove or replace such rows first.");
}

void check_values(const Column& column, int64_t rows) {
  if (column.element == Element::int32 || column.element == Element::uint8) return;
  const int64_t elements = rows * column.width;
  std::atomic<int64_t> first{elements};
  const cpu::KernelTable& table = cpu::kernels();
  cpu::parallel_for(chunks_of(elements), [&](int64_t chunk) {
    const int64_t begin = chunk * kChunk, n = std::min(kChunk, elements - begin);
    if (begin >= first.load(std::memory_order_relaxed)) return;
    const std::byte* at = column.storage.host() + static_cast<size_t>(begin) * size_of(column.element);
    if (!column.converts() && table.all_finite(reinterpret_cast<const float*>(at), n)) return;
    const int64_t index =
        with_element(column.element, at, [&](const auto* x) { return first_unusable(x, n, column.dtype); });
    if (index < 0) return;
    int64_t seen = first.load(std::memory_order_relaxed);
    while (begin + index < seen && !first.compare_exchange_weak(seen, begin + index, std::memory_order_relaxed)) {
    }
  });
  const int64_t index = first.load(std::memory_order_relaxed);
  if (index == elements) return;
  const double value =
      with_element(column.element, column.storage.host(), [&](const auto* x) { return static_cast<double>(x[index]); });
  throw_unusable(column, index, value);
}

Storage copy_of(const void* data, size_t bytes) {
  Storage storage{std::make_shared<Buffer>(bytes), 0, bytes, nullptr};
  std::byte* const to = storage.data();
  cpu::parallel_for(chunks_of(static_cast<int64_t>(bytes)), [&](int64_t chunk) {
    const size_t begin = static_cast<size_t>(chunk * kChunk);
    std::memcpy(to + begin, static_cast<const std::byte*>(data) + begin,
                std::min(static_cast<size_t>(kChunk), bytes - begin));
  });
  return storage;
}

}  // namespace

Dataset::Dataset(std::vector<ColumnSource> sources, int64_t rows, bool check) : rows_(rows) {
  if (rows < 0 || rows >= kMaxRows)
    throw Error(code::kOutOfRange, "A data set has 0 to 4294967295 rows, received " + std::to_string(rows) + ".");
  for (ColumnSource& source : sources) {
    if (source.sparse) {
      for (Column& column : sparse_columns(source.name, *source.sparse, rows, check)) {
        own_bytes_ += static_cast<int64_t>(column.storage.bytes);
        columns_.push_back(std::move(column));
      }
      continue;
    }
    const size_t element = size_of(source.element);
    const size_t available = source.data ? source.data_elements : source.storage.bytes / element;
    if (source.width < 0 ||
        (source.width > 0 && available / static_cast<size_t>(source.width) < static_cast<size_t>(rows)))
      throw Error(code::kShapeMismatch, source.name + " has " + std::to_string(available) + " elements, expected " +
                                            std::to_string(rows) + " rows of " + std::to_string(source.width) + ".");
    Column column;
    column.name = std::move(source.name);
    column.element = source.element;
    column.width = source.width;
    column.dtype = source.dtype;
    column.storage =
        source.data ? copy_of(source.data, static_cast<size_t>(rows) * column.row_bytes()) : source.storage;
    if (source.data) own_bytes_ += static_cast<int64_t>(column.storage.bytes);
    if (column.storage.pending) column.storage.pending->wait();
    if (check) check_values(column, rows);
    columns_.push_back(std::move(column));
  }
}

}  // namespace downhill
