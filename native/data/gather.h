// Rows of a column into a batch.
#pragma once
#include <atomic>
#include <cstddef>
#include <cstdint>
#include <vector>

#include "backend/cpu/idle.h"
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

/// Rows of dense columns into a batch, in pieces of some 4 KiB that any threads do in any order: those of the pool
/// while they wait, and all of them in finish().
class BatchPieces final : public cpu::IdleWork {
 public:
  ~BatchPieces() override { stop(); }
  /// No columns.
  void clear();
  /// A batch of the column lies `offset` bytes into its memory. Allocates.
  void add(const Column& column, size_t offset);
  bool empty() const { return parts_.empty(); }

  /// Begins with a batch, as of gather(). Nothing of it is there yet.
  void begin(int64_t first, const uint32_t* order, int64_t count, std::byte* to);
  /// Threads that wait may take pieces from now on.
  void offer();
  /// Gathers what is left; the batch is complete then.
  void finish();
  /// No thread touches the batch any more; what is left stays undone.
  void stop();

  bool piece() noexcept override;

 private:
  struct Part {  // pieces of a column
    const Column* column;
    size_t offset;
    int64_t rows, elements;  // of a piece
    int64_t across;          // pieces beside one another in a row
    int64_t first;           // number of the first one
    const std::byte* from;   // row 0
  };
  void gather_piece(int64_t index, int64_t next) const;

  std::vector<Part> parts_;
  int64_t begin_ = 0, count_ = 0;
  const uint32_t* order_ = nullptr;
  std::byte* to_ = nullptr;
  bool offered_ = false;
  alignas(64) std::atomic<int64_t> left_{0};  // pieces that nobody has taken: those in front
};

}  // namespace downhill
