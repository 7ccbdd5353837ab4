// Columns of training data in native memory: each has one row per example.
#pragma once
#include <memory>
#include <string>
#include <vector>

#include "core/dtype.h"
#include "core/storage.h"
#include "data/convert.h"
#include "data/sparse_columns.h"

namespace downhill {

/// What a column is made from: `data` is copied, or else `storage` is used in place.
struct ColumnSource {
  std::string name;            // for messages: "x", "y", "sampleWeight"
  const void* data = nullptr;  // rows · width elements; null: take storage
  size_t data_elements = 0;    // available at data
  Storage storage;
  Element element = Element::float32;
  int64_t width = 1;                           // elements of one row
  DType dtype = DType::float32;                // that batches have
  std::shared_ptr<const SparseSource> sparse;  // then sparse rows, in place of all but the name
};

struct Column {
  /// Of dense rows all have one width. Sparse rows are three columns: where each row begins, and their indices and
  /// values.
  enum class Layout { dense, starts, values };

  std::string name;
  Storage storage;  // (rows, width) of element
  Element element = Element::float32;
  int64_t width = 1;
  DType dtype = DType::float32;
  Layout layout = Layout::dense;
  std::shared_ptr<const SparseIndex> sparse;  // of the other layouts; `width` is that of the matrix then

  /// Elements of a batch; `room`: what a program has room for, as the values of sparse rows differ.
  int64_t elements(int64_t rows, int64_t room) const {
    return layout == Layout::dense ? rows * width : layout == Layout::starts ? rows + 1 : room;
  }
  size_t row_bytes() const { return static_cast<size_t>(width) * size_of(element); }
  const std::byte* row(int64_t index) const {
    if (layout == Layout::values) return storage.host() + static_cast<size_t>(sparse->starts()[index]) * size_of(dtype);
    return storage.host() + static_cast<size_t>(index) * row_bytes();
  }
  bool converts() const { return element != element_of(dtype); }
};

/// Immutable once made.
class Dataset {
 public:
  /// Waits for pending storages. With `check`, throws NON_FINITE naming column, row and element of the first value that
  /// is NaN or infinite (or becomes so in float32), and INVALID_ARGUMENT for one that an int32 column cannot hold.
  Dataset(std::vector<ColumnSource> sources, int64_t rows, bool check);

  int64_t rows() const { return rows_; }
  const std::vector<Column>& columns() const { return columns_; }
  /// Of the columns that it has copied.
  int64_t own_bytes() const { return own_bytes_; }

 private:
  int64_t rows_, own_bytes_ = 0;
  std::vector<Column> columns_;
};

}  // namespace downhill
