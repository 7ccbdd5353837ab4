#include "backend/layout.h"

namespace downhill {

std::vector<int64_t> strides_of(const Shape& shape) {
  std::vector<int64_t> strides(static_cast<size_t>(shape.rank()));
  int64_t stride = 1;
  for (int axis = shape.rank(); axis-- > 0; stride *= shape[axis]) strides[axis] = stride;
  return strides;
}

std::vector<int64_t> broadcast_strides(const Shape& shape, const Shape& target) {
  const std::vector<int64_t> own = strides_of(shape);
  std::vector<int64_t> strides(static_cast<size_t>(target.rank()), 0);
  const int missing = target.rank() - shape.rank();
  for (int axis = 0; axis < shape.rank(); ++axis)
    if (shape[axis] != 1) strides[axis + missing] = own[axis];
  return strides;
}

Nest collapse(const Shape& dims, const std::vector<std::vector<int64_t>>& strides) {
  Nest nest;
  nest.operands = static_cast<int>(strides.size());
  for (int axis = 0; axis < dims.rank(); ++axis) {
    if (dims[axis] == 1) continue;
    bool merges = nest.rank > 0;
    for (int k = 0; k < nest.operands && merges; ++k)
      merges = nest.stride[k][nest.rank - 1] == strides[k][axis] * dims[axis];
    if (!merges) nest.dims[nest.rank++] = 1;
    nest.dims[nest.rank - 1] *= dims[axis];
    for (int k = 0; k < nest.operands; ++k) nest.stride[k][nest.rank - 1] = strides[k][axis];
  }
  if (nest.rank == 0) {
    nest.dims[nest.rank++] = 1;
    for (int k = 0; k < nest.operands; ++k) nest.stride[k][0] = 1;
  }
  return nest;
}

Walk::Walk(const Nest& nest, int inner, int64_t position) : nest_(nest), outer_(nest.rank - inner) {
  for (int i = outer_; i-- > 0;) {
    index_[i] = position % nest.dims[i];
    position /= nest.dims[i];
    for (int k = 0; k < nest.operands; ++k) offset_[k] += index_[i] * nest.stride[k][i];
  }
}

void Walk::next() {
  for (int i = outer_; i-- > 0;) {
    for (int k = 0; k < nest_.operands; ++k) offset_[k] += nest_.stride[k][i];
    if (++index_[i] < nest_.dims[i]) return;
    for (int k = 0; k < nest_.operands; ++k) offset_[k] -= nest_.dims[i] * nest_.stride[k][i];
    index_[i] = 0;
  }
}

Shape leading(const Shape& shape) {
  const std::vector<int64_t> dims = shape.to_vector();
  return Shape(std::vector<int64_t>(dims.begin(), dims.end() - 2));
}

std::vector<int64_t> batch_strides(const Shape& shape, const Shape& batch) {
  std::vector<int64_t> strides = broadcast_strides(leading(shape), batch);
  for (int64_t& stride : strides) stride *= shape[shape.rank() - 2] * shape[shape.rank() - 1];
  return strides;
}

}  // namespace downhill
