#include "core/shape.h"

#include "core/error.h"

namespace downhill {

namespace {

constexpr int64_t kMaxElements = int64_t{1} << 46;

void check_size(const Shape& shape) {
  int64_t size = 1;
  for (int64_t dim : shape) {
    if (dim < 0) throw Error(code::kInvalidArgument, "Shape " + shape.to_string() + " has a negative dimension.");
    if (dim != 0 && size > kMaxElements / dim)
      throw Error(code::kInvalidArgument, "Shape " + shape.to_string() + " has more than 2^46 elements.");
    size *= dim;
  }
}

}  // namespace

Shape::Shape(std::initializer_list<int64_t> dims) : Shape(std::vector<int64_t>(dims)) {}

Shape::Shape(const std::vector<int64_t>& dims) {
  if (dims.size() > static_cast<size_t>(kMaxRank))
    throw Error(code::kInvalidArgument, "Tensors have at most " + std::to_string(kMaxRank) + " dimensions; received " +
                                            std::to_string(dims.size()) + ".");
  for (int64_t dim : dims) dims_[rank_++] = dim;
  check_size(*this);
}

int64_t Shape::size() const {
  int64_t size = 1;
  for (int64_t dim : *this) size *= dim;
  return size;
}

void Shape::push_back(int64_t dim) {
  if (rank_ == kMaxRank)
    throw Error(code::kInvalidArgument, "Tensors have at most " + std::to_string(kMaxRank) + " dimensions; " +
                                            to_string() + " would get one more.");
  dims_[rank_++] = dim;
  check_size(*this);
}

std::string Shape::to_string() const {
  std::string text = "[";
  for (int axis = 0; axis < rank_; ++axis) text += (axis ? ", " : "") + std::to_string(dims_[axis]);
  return text + "]";
}

bool Shape::operator==(const Shape& other) const {
  if (rank_ != other.rank_) return false;
  for (int axis = 0; axis < rank_; ++axis)
    if (dims_[axis] != other.dims_[axis]) return false;
  return true;
}

bool broadcast(const Shape& a, const Shape& b, Shape* out) {
  const int rank = a.rank() > b.rank() ? a.rank() : b.rank();
  std::vector<int64_t> dims(rank);
  for (int axis = 0; axis < rank; ++axis) {
    const int in_a = axis - (rank - a.rank()), in_b = axis - (rank - b.rank());
    const int64_t da = in_a < 0 ? 1 : a[in_a], db = in_b < 0 ? 1 : b[in_b];
    if (da != db && da != 1 && db != 1) return false;
    dims[axis] = da == 1 ? db : da;
  }
  *out = Shape(dims);
  return true;
}

}  // namespace downhill
