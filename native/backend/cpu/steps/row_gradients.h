// Steps that write single rows of a gradient (plan/row_gradients.h): what is cleared, and how tasks list what they
// wrote.
#pragma once
#include <algorithm>
#include <cstring>

#include "backend/cpu/kernels/sparse.h"
#include "backend/cpu/program.h"
#include "core/touched_rows.h"
#include "plan/row_gradients.h"

namespace downhill::cpu {

inline constexpr int64_t kMostRanges = 16;  // of rows, each a task
inline constexpr int64_t kMarkBits = 64;

/// Ranges of [0, limit) with about as many indices each, as samples tell; where they begin is a multiple of `unit`. Any
/// ranges give the same result.
inline void choose_ranges(const int32_t* indices, int64_t count, int64_t limit, int64_t unit, int64_t ranges,
                          int64_t* bounds) {
  constexpr int64_t kSamples = 8;  // of indices, for each range
  bounds[0] = 0;
  bounds[ranges] = limit;
  int32_t samples[kMostRanges * kSamples];
  const int64_t taken = ranges * kSamples;
  if (count == 0) return std::fill(bounds + 1, bounds + ranges, limit);
  for (int64_t i = 0; i < taken; ++i) samples[i] = indices[(2 * i + 1) * count / (2 * taken)];
  std::sort(samples, samples + taken);
  for (int64_t i = 1; i < ranges; ++i) bounds[i] = samples[i * kSamples] / unit * unit;
}

/// One step that writes rows of y (rows, width).
class RowWriter {
 public:
  /// At most so many rows are written.
  RowWriter(TouchedRows& list, float* y, int64_t rows, int64_t width, int64_t most)
      : list_(list), y_(y), rows_(rows), width_(width), cleared_(list.known && list.width == width) {
    list.known = false;
    list.width = width;
    const auto needed = static_cast<size_t>(std::min(rows, most));
    const auto words = static_cast<size_t>((rows + kMarkBits - 1) / kMarkBits);
    if (list.rows.size() < needed) list.rows.resize(needed);  // in the first step of a program
    if (list.marks.size() != words) list.marks.assign(words, 0);
  }

  /// The rows of [begin, end) hold 0; by the task that writes them.
  void clear(int64_t begin, int64_t end) const {
    const auto row = static_cast<size_t>(width_) * sizeof(float);
    if (!cleared_) {
      if (begin < end) std::memset(y_ + begin * width_, 0, static_cast<size_t>(end - begin) * row);
      return;
    }
    const int32_t *const rows = list_.rows.data(), *const last = rows + list_.count;
    for (const int32_t* r = std::lower_bound(rows, last, begin); r < last && *r < end; ++r)
      std::memset(y_ + *r * width_, 0, row);
  }

  /// Row r is written. Tasks that run at once have ranges that begin at multiples of kMarkBits.
  void mark(int32_t r) const { list_.marks[static_cast<size_t>(r / kMarkBits)] |= uint64_t{1} << (r % kMarkBits); }

  /// All tasks have ended: the list is that of the rows they marked.
  void finish() const {
    int32_t* to = list_.rows.data();
    for (size_t word = 0; word < list_.marks.size(); ++word) {
      uint64_t bits = list_.marks[word];
      if (bits == 0) continue;
      list_.marks[word] = 0;
      const auto base = static_cast<int32_t>(word * kMarkBits);
      for (; bits != 0; bits &= bits - 1) *to++ = base + __builtin_ctzll(bits);
    }
    list_.count = to - list_.rows.data();
    list_.known = true;
  }

 private:
  TouchedRows& list_;
  float* const y_;
  const int64_t rows_, width_;
  const bool cleared_;  // but for the rows listed
};

}  // namespace downhill::cpu
