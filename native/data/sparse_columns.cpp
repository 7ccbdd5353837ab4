#include "data/sparse_columns.h"

#include <algorithm>
#include <atomic>
#include <cmath>
#include <cstdint>
#include <cstring>
#include <functional>
#include <numeric>

#include "backend/cpu/pool.h"
#include "core/error.h"
#include "data/dataset.h"

namespace downhill {

namespace {

constexpr int64_t kChunkValues = 1 << 15;  // of a batch that one chunk copies, about
constexpr int64_t kLine = 16;              // values of a cache line

std::string text(int64_t number) { return std::to_string(number); }

/// Runs body(begin, end) over the rows, on the pool.
template <typename F>
void for_rows(int64_t rows, F&& body) {
  constexpr int64_t kRows = 256;
  cpu::parallel_for((rows + kRows - 1) / kRows,
                    [&](int64_t chunk) { body(chunk * kRows, std::min(rows, (chunk + 1) * kRows)); });
}

Storage storage_of(size_t count) {
  const size_t bytes = count * sizeof(float);
  return {std::make_shared<Buffer>(bytes), 0, bytes, nullptr};
}

void check_starts(const std::string& name, const SparseSource& source, int64_t rows) {
  const auto count = static_cast<int64_t>(source.value_count);
  if (source.starts != static_cast<size_t>(rows) + 1 || source.index_count != source.value_count)
    throw Error(code::kShapeMismatch, name + ": " + text(rows) + " rows need " + text(rows + 1) +
                                          " entries of indptr, and each value an index; received " +
                                          text(static_cast<int64_t>(source.starts)) + ", " +
                                          text(static_cast<int64_t>(source.index_count)) + " indices and " +
                                          text(count) + " values.");
  if (source.columns < 0 || source.columns > INT32_MAX || count > INT32_MAX)
    throw Error(code::kOutOfRange, name + ": sparse rows have at most 2147483647 columns and values.");
  bool ascend = source.indptr[0] == 0 && source.indptr[rows] == count;
  for (int64_t r = 0; r < rows; ++r) ascend = ascend && source.indptr[r] <= source.indptr[r + 1];
  if (!ascend)
    throw Error(code::kOutOfRange, name + ": indptr must ascend from 0 to the number of values, " + text(count) + ".");
}

/// The first value of the row that is wrong; the row's end where none is.
int64_t first_wrong(const SparseSource& source, int64_t row, bool finite) {
  int64_t k = source.indptr[row];
  for (const int64_t end = source.indptr[row + 1]; k < end; ++k)
    if (source.indices[k] < 0 || source.indices[k] >= source.columns || (finite && !std::isfinite(source.values[k])))
      break;
  return k;
}

[[noreturn]] void throw_wrong(const std::string& name, const SparseSource& source, int64_t row, int64_t k) {
  const int32_t column = source.indices[k];
  const float value = source.values[k];
  if (column < 0 || column >= source.columns)
    throw Error(code::kOutOfRange, name + ": indices must lie from 0 to " + text(source.columns - 1) + "; element " +
                                       text(k) + " is " + text(column) + ".");
  throw Error(code::kNonFinite, name + "[row " + text(row) + ", element " + text(column) + "] is " +
                                    (std::isnan(value) ? "NaN"
                                     : value > 0       ? "inf"
                                                       : "-inf") +
                                    "; expected finite numbers. Remove or replace such rows first.");
}

void check_values(const std::string& name, const SparseSource& source, int64_t rows, bool finite) {
  std::atomic<int64_t> first{rows};
  for_rows(rows, [&](int64_t begin, int64_t end) {
    for (int64_t r = begin; r < end && r < first.load(std::memory_order_relaxed); ++r) {
      if (first_wrong(source, r, finite) == source.indptr[r + 1]) continue;
      for (int64_t seen = first.load(); r < seen && !first.compare_exchange_weak(seen, r);) {
      }
    }
  });
  if (const int64_t row = first.load(); row < rows) throw_wrong(name, source, row, first_wrong(source, row, finite));
}

/// Values of one column stay in their order.
void sort_row(int32_t* indices, float* values, int64_t count) {
  std::vector<int32_t> place(static_cast<size_t>(count));
  std::iota(place.begin(), place.end(), 0);
  std::stable_sort(place.begin(), place.end(), [&](int32_t a, int32_t b) { return indices[a] < indices[b]; });
  const std::vector<int32_t> old_indices(indices, indices + count);
  const std::vector<float> old_values(values, values + count);
  for (int64_t i = 0; i < count; ++i) {
    indices[i] = old_indices[static_cast<size_t>(place[static_cast<size_t>(i)])];
    values[i] = old_values[static_cast<size_t>(place[static_cast<size_t>(i)])];
  }
}

std::shared_ptr<const SparseIndex> index_of(const SparseSource& source, int64_t rows) {
  auto index = std::make_shared<SparseIndex>();
  index->indptr = storage_of(source.starts);
  std::memcpy(index->indptr.data(), source.indptr, source.starts * sizeof(int32_t));
  std::vector<int32_t> lengths(static_cast<size_t>(rows));
  for (int64_t r = 0; r < rows; ++r) lengths[static_cast<size_t>(r)] = source.indptr[r + 1] - source.indptr[r];
  std::sort(lengths.begin(), lengths.end(), std::greater<>());
  for (const int32_t length : lengths) {
    if (index->lengths.empty() || index->lengths.back().first != length) index->lengths.emplace_back(length, 0);
    ++index->lengths.back().second;
  }
  return index;
}

}  // namespace

int64_t SparseIndex::most(int64_t rows, bool repeats) const {
  if (lengths.empty()) return 0;
  if (repeats) return lengths[0].first * rows;
  int64_t values = 0;
  for (const auto& [length, count] : lengths) {
    const int64_t taken = std::min(rows, count);
    values += taken * length;
    rows -= taken;
  }
  return values;
}

int64_t SparseIndex::room(int64_t rows, bool repeats) const {
  int64_t room = 256;
  for (const int64_t needed = most(rows, repeats); room < needed;) room *= 2;
  return room;
}

std::vector<Column> sparse_columns(const std::string& name, const SparseSource& source, int64_t rows, bool finite) {
  check_starts(name, source, rows);
  check_values(name, source, rows, finite);
  const std::shared_ptr<const SparseIndex> index = index_of(source, rows);
  const auto column = [&](Column::Layout layout, const Storage& storage, Element element, DType dtype) {
    Column made;
    made.name = name;
    made.storage = storage;
    made.element = element;
    made.width = source.columns;
    made.dtype = dtype;
    made.layout = layout;
    made.sparse = index;
    return made;
  };
  const Storage indices = storage_of(source.index_count), values = storage_of(source.value_count);
  auto* const columns = reinterpret_cast<int32_t*>(indices.data());
  auto* const numbers = reinterpret_cast<float*>(values.data());
  std::atomic<bool> ascend{true};
  for_rows(rows, [&](int64_t begin, int64_t end) {
    const int64_t from = source.indptr[begin], to = source.indptr[end];
    std::copy(source.indices + from, source.indices + to, columns + from);
    std::copy(source.values + from, source.values + to, numbers + from);
    for (int64_t r = begin; r < end; ++r)
      if (!std::is_sorted(columns + source.indptr[r], columns + source.indptr[r + 1])) ascend.store(false);
  });
  for (int64_t r = 0; r < rows && !ascend.load(); ++r)
    sort_row(columns + source.indptr[r], numbers + source.indptr[r], source.indptr[r + 1] - source.indptr[r]);
  return {column(Column::Layout::starts, index->indptr, Element::int32, DType::int32),
          column(Column::Layout::values, indices, Element::int32, DType::int32),
          column(Column::Layout::values, values, Element::float32, DType::float32)};
}

void gather_starts(const SparseIndex& index, int64_t begin, const uint32_t* order, int64_t count, int64_t room,
                   int32_t* starts) {
  const int32_t* const indptr = index.starts() + begin;
  int64_t next = 0;
  starts[0] = 0;
  for (int64_t i = 0; i < count; ++i) {
    const int64_t row = order ? int64_t{order[i]} : i;
    next += indptr[row + 1] - indptr[row];
    if (next > std::min<int64_t>(room, INT32_MAX))
      throw Error(code::kInternal,
                  "A batch of sparse rows has more values than the program has room for, " + text(room) + ".");
    starts[i + 1] = static_cast<int32_t>(next);
  }
}

void gather_values(const Column& column, int64_t begin, const uint32_t* order, int64_t count, const int32_t* starts,
                   std::byte* to) {
  const int32_t* const indptr = column.sparse->starts() + begin;
  const std::byte* const from = column.storage.host();
  const auto row_at = [&](int64_t i) { return order ? int64_t{order[i]} : i; };
  const auto copy = [&](int64_t i) {
    const int64_t row = row_at(i);
    std::memcpy(to + static_cast<size_t>(starts[i]) * sizeof(float),
                from + static_cast<size_t>(indptr[row]) * sizeof(float),
                static_cast<size_t>(starts[i + 1] - starts[i]) * sizeof(float));
  };
  const int64_t rows =
      std::max<int64_t>(1, kChunkValues / std::max<int64_t>(1, starts[count] / std::max<int64_t>(1, count)));
  cpu::parallel_for((count + rows - 1) / rows, [&](int64_t chunk) {
    const int64_t end = std::min(count, (chunk + 1) * rows);
    for (int64_t i = chunk * rows; i < end; ++i) {
      if (order && i + 1 < end) {
        const int64_t next = row_at(i + 1);
        for (int64_t k = indptr[next]; k < indptr[next + 1]; k += kLine)
          __builtin_prefetch(from + static_cast<size_t>(k) * sizeof(float));
      }
      copy(i);
    }
  });
}

}  // namespace downhill
