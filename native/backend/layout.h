// Loops over strided operands, reduced to as few dimensions as possible when a step is compiled.
#pragma once
#include <cstdint>
#include <vector>

#include "core/shape.h"

namespace downhill {

inline constexpr int kMaxOperands = 4;

/// A loop nest of `rank` dimensions over operands with strides in elements; the last dimension is the innermost.
struct Nest {
  int rank = 0;
  int operands = 0;
  int64_t dims[kMaxRank] = {};
  int64_t stride[kMaxOperands][kMaxRank] = {};

  int64_t size() const {
    int64_t size = 1;
    for (int i = 0; i < rank; ++i) size *= dims[i];
    return size;
  }
};

/// Row-major strides of a shape.
std::vector<int64_t> strides_of(const Shape& shape);
/// Strides with which `shape` is read as `target`: 0 along dimensions that broadcast.
std::vector<int64_t> broadcast_strides(const Shape& shape, const Shape& target);

/// Drops dimensions of size 1 and merges neighbours that every operand walks through without a gap. At least rank 1.
Nest collapse(const Shape& dims, const std::vector<std::vector<int64_t>>& strides);

/// Walks through the outer dimensions [0, rank - inner) of a nest, keeping the offset of each operand.
class Walk {
 public:
  Walk(const Nest& nest, int inner, int64_t position);
  int64_t offset(int operand) const { return offset_[operand]; }
  void next();

 private:
  const Nest& nest_;
  const int outer_;
  int64_t index_[kMaxRank] = {};
  int64_t offset_[kMaxOperands] = {};
};

/// Of a stack of matrices: the dimensions before the last two.
Shape leading(const Shape& shape);
/// Strides from matrix to matrix over the dimensions of `batch`, to which leading(shape) is broadcast.
std::vector<int64_t> batch_strides(const Shape& shape, const Shape& batch);

}  // namespace downhill
