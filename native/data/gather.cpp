#include "data/gather.h"

#include <algorithm>
#include <cstring>

#include "backend/cpu/pool.h"

namespace downhill {

namespace {

constexpr int64_t kChunkBytes = 1 << 14;  // of a batch that one chunk fills
constexpr size_t kLine = 64;              // bytes of a cache line
constexpr int64_t kPiece = 1024;          // elements that a thread gathers in one go while it waits
constexpr int64_t kTogether = 4;          // such pieces make a chunk

/// Rows in a shuffled order are out of the hardware prefetcher's sight.
void prefetch(const std::byte* row, size_t bytes) {
  for (size_t at = 0; at < bytes; at += kLine) __builtin_prefetch(row + at);
}

template <typename To>
void convert_elements(Element element, const std::byte* from, std::byte* to, int64_t count) {
  To* const target = reinterpret_cast<To*>(to);
  with_element(element, from, [&](const auto* source) {
    for (int64_t i = 0; i < count; ++i) target[i] = convert<To>(source[i]);
  });
}

/// Elements of a row.
void copy_elements(const Column& column, const std::byte* from, std::byte* to, int64_t count) {
  if (!column.converts())
    std::memcpy(to, from, static_cast<size_t>(count) * size_of(column.dtype));
  else if (column.dtype == DType::float32)
    convert_elements<float>(column.element, from, to, count);
  else
    convert_elements<int32_t>(column.element, from, to, count);
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
      copy_elements(column, from, to + static_cast<size_t>(i) * row_bytes, column.width);
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

void BatchPieces::clear() {
  stop();
  parts_.clear();
}

void BatchPieces::add(const Column& column, size_t offset) {
  Part part = {};
  part.column = &column;
  part.offset = offset;
  part.across = std::max<int64_t>(1, (column.width + kPiece - 1) / kPiece);
  part.elements = (column.width + part.across - 1) / part.across;
  part.rows = std::max<int64_t>(1, kPiece / std::max<int64_t>(1, column.width));
  parts_.push_back(part);
}

void BatchPieces::begin(int64_t first, const uint32_t* order, int64_t count, std::byte* to) {
  begin_ = first;
  order_ = order;
  count_ = count;
  to_ = to;
  int64_t pieces = 0;
  for (Part& part : parts_) {
    part.first = pieces;
    part.from = part.column->storage.host();
    pieces += (count + part.rows - 1) / part.rows * part.across;
  }
  left_.store(pieces, std::memory_order_relaxed);
}

void BatchPieces::offer() { offered_ = cpu::offer(*this); }

void BatchPieces::stop() {
  if (offered_) cpu::withdraw(*this);
  offered_ = false;
}

void BatchPieces::finish() {
  stop();
  const int64_t left = std::max<int64_t>(0, left_.exchange(0, std::memory_order_relaxed));
  cpu::parallel_for((left + kTogether - 1) / kTogether, [&](int64_t chunk) {
    const int64_t end = std::min(left, (chunk + 1) * kTogether);
    for (int64_t i = chunk * kTogether; i < end; ++i) gather_piece(i, i + 1 < end ? i + 1 : -1);
  });
}

/// From the end: a waiting thread is rather not the caller, whose rows come first.
bool BatchPieces::piece() noexcept {
  const int64_t index = left_.fetch_sub(1, std::memory_order_relaxed) - 1;
  if (index < 0) {
    left_.store(0, std::memory_order_relaxed);
    return false;
  }
  gather_piece(index, index - 1);
  return true;
}

/// Piece `index`, while the rows of piece `next` are fetched; negative: of none.
void BatchPieces::gather_piece(int64_t index, int64_t next) const {
  size_t p = parts_.size() - 1;
  while (index < parts_[p].first) --p;
  const Part& part = parts_[p];
  const Column& column = *part.column;
  const auto row_at = [&](int64_t i) {
    return part.from + static_cast<size_t>(begin_ + (order_ ? int64_t{order_[i]} : i)) * column.row_bytes();
  };
  const int64_t at = index - part.first, row = at / part.across * part.rows, element = at % part.across * part.elements;
  const int64_t end = std::min(count_, row + part.rows), elements = std::min(part.elements, column.width - element);
  if (order_ && next >= part.first && part.rows == 1 && part.elements > 0) {
    const int64_t to = next - part.first;
    if (to / part.across < count_)
      prefetch(
          row_at(to / part.across) + static_cast<size_t>(to % part.across * part.elements) * size_of(column.element),
          static_cast<size_t>(elements) * size_of(column.element));
  }
  const size_t from_offset = static_cast<size_t>(element) * size_of(column.element);
  for (int64_t i = row; i < end; ++i)
    copy_elements(column, row_at(i) + from_offset,
                  to_ + part.offset + static_cast<size_t>(i * column.width + element) * size_of(column.dtype),
                  elements);
}

}  // namespace downhill
