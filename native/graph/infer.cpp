// Shape rules: one function per name in the third column of ops.def. Each checks its operands, normalises attributes
// and says what it expected and what it received.
#include <algorithm>
#include <cmath>

#include "core/error.h"
#include "graph/graph.h"
#include "graph/infer_attention.h"
#include "graph/infer_normalization.h"
#include "graph/infer_recurrent.h"
#include "graph/infer_windows.h"

namespace downhill {

namespace {

int64_t normal_axis(Op op, int64_t axis, int rank) {
  if (axis < -rank || axis >= rank)
    throw Error(code::kOutOfRange,
                std::string(name_of(op)) + ": axis " + std::to_string(axis) + " does not exist in a tensor with " +
                    std::to_string(rank) + " dimensions" +
                    (rank ? " (expected " + std::to_string(-rank) + " to " + std::to_string(rank - 1) + ")." : "."));
  return axis < 0 ? axis + rank : axis;
}

int64_t set_axis(Op op, Attrs& attrs, int rank) {
  const int64_t axis = normal_axis(op, attrs.integer("axis", -1), rank);
  attrs.set("axis", static_cast<double>(axis));
  return axis;
}

void need_int32(Op op, const Node& node, const char* what) {
  if (node.dtype != DType::int32)
    throw Error(code::kDtypeMismatch, std::string(name_of(op)) + ": " + what + " must be int32; received " +
                                          name_of(node.dtype) + " " + node.shape.to_string() +
                                          ". Convert with ops.cast(x, 'int32').");
}

Shape replaced(const Shape& shape, int64_t axis, int64_t size) {
  std::vector<int64_t> dims = shape.to_vector();
  dims[axis] = size;
  return Shape(dims);
}

Shape without_last(const Shape& shape) {
  std::vector<int64_t> dims = shape.to_vector();
  dims.pop_back();
  return Shape(dims);
}

// ---- rules --------------------------------------------------------------------------------------------------------

Inferred shape_leaf(Op op, const Inputs&, Attrs&) { invalid(op, "leaves are not added as ops."); }

Inferred shape_elementwise(Op op, const Inputs& inputs, Attrs&) {
  Shape shape = inputs[0]->shape;
  for (size_t i = 1; i < inputs.size(); ++i)
    if (!broadcast(shape, inputs[i]->shape, &shape))
      mismatch(op, "operands must have shapes that broadcast (equal dimensions, or 1, from the last one backwards).",
               inputs);
  return {shape, row_of(op).types == OpTypes::C ? DType::int32 : inputs[0]->dtype};
}

Inferred shape_reduce(Op op, const Inputs& inputs, Attrs& attrs) {
  const Shape& in = inputs[0]->shape;
  std::vector<int64_t> axes = attrs.ints("axes");
  if (axes.empty())
    for (int axis = 0; axis < in.rank(); ++axis) axes.push_back(axis);
  for (int64_t& axis : axes) axis = normal_axis(op, axis, in.rank());
  std::sort(axes.begin(), axes.end());
  if (std::adjacent_find(axes.begin(), axes.end()) != axes.end()) invalid(op, "an axis is given twice.");
  if (op == Op::logSumExp && axes.size() != 1 && in.rank() != 0) invalid(op, "expected one axis.");
  std::vector<int64_t> dims;
  for (int axis = 0; axis < in.rank(); ++axis) {
    const bool reduced = std::binary_search(axes.begin(), axes.end(), axis);
    if (reduced && in[axis] == 0 && op != Op::sum)
      invalid(op, "no values to choose from along axis " + std::to_string(axis) + " of " + in.to_string() + ".");
    if (!reduced)
      dims.push_back(in[axis]);
    else if (attrs.flag("keepDims"))
      dims.push_back(1);
  }
  attrs.set("axes", axes);
  return {Shape(dims), inputs[0]->dtype};
}

Inferred shape_argmax(Op op, const Inputs& inputs, Attrs& attrs) {
  const Shape& in = inputs[0]->shape;
  if (in.rank() == 0) mismatch(op, "expected at least one dimension.", inputs);
  const int64_t axis = set_axis(op, attrs, in.rank());
  if (in[axis] == 0)
    invalid(op, "no values to choose from along axis " + std::to_string(axis) + " of " + in.to_string() + ".");
  std::vector<int64_t> dims = in.to_vector();
  dims.erase(dims.begin() + axis);
  return {Shape(dims), DType::int32};
}

Inferred shape_matmul(Op op, const Inputs& inputs, Attrs& attrs) {
  const Shape &a = inputs[0]->shape, &b = inputs[1]->shape;
  if (a.rank() < 2 || b.rank() < 2) mismatch(op, "expected at least two dimensions on both sides.", inputs);
  const bool ta = attrs.flag("transposeA"), tb = attrs.flag("transposeB");
  const int64_t m = a[a.rank() - (ta ? 1 : 2)], ka = a[a.rank() - (ta ? 2 : 1)];
  const int64_t kb = b[b.rank() - (tb ? 1 : 2)], n = b[b.rank() - (tb ? 2 : 1)];
  if (ka != kb)
    mismatch(op,
             "the inner dimensions must agree: " + std::to_string(ka) + (ta ? " (a transposed)" : "") + " and " +
                 std::to_string(kb) + (tb ? " (b transposed)" : "") + " do not.",
             inputs);
  Shape batch;
  const std::vector<int64_t> da = a.to_vector(), db = b.to_vector();
  if (!broadcast(Shape(std::vector<int64_t>(da.begin(), da.end() - 2)),
                 Shape(std::vector<int64_t>(db.begin(), db.end() - 2)), &batch))
    mismatch(op, "the leading (batch) dimensions must broadcast.", inputs);
  batch.push_back(m);
  batch.push_back(n);
  return {batch, DType::float32};
}

Inferred shape_same(Op op, const Inputs& inputs, Attrs& attrs) {
  const Shape& in = inputs[0]->shape;
  switch (op) {
    case Op::softmax:
    case Op::logSoftmax:
    case Op::softmaxGrad:
    case Op::logSoftmaxGrad:
      if (in.rank() == 0) mismatch(op, "expected at least one dimension.", inputs);
      set_axis(op, attrs, in.rank());
      if (inputs.size() == 2 && inputs[1]->shape != in) mismatch(op, "expected equal shapes.", inputs);
      break;
    case Op::softmaxCrossEntropyGrad:
      if (in.rank() == 0 || inputs[1]->shape != in || inputs[2]->shape != without_last(in))
        mismatch(op, "expected logits [..., c], targets [..., c] and dy [...].", inputs);
      break;
    case Op::sparseSoftmaxCrossEntropyGrad:
      need_int32(op, *inputs[1], "labels");
      if (in.rank() == 0 || inputs[1]->shape != without_last(in) || inputs[2]->shape != without_last(in))
        mismatch(op, "expected logits [..., c], labels [...] and dy [...].", inputs);
      break;
    case Op::dropout:
    case Op::gaussianDropout: {
      const double rate = attrs.number("rate");
      if (!(rate >= 0 && rate < 1)) invalid(op, "rate must be in [0, 1); received " + std::to_string(rate) + ".");
      break;
    }
    case Op::gaussianNoise: {
      const double stddev = attrs.number("stddev");
      if (!(stddev >= 0 && std::isfinite(stddev)))
        invalid(op, "stddev must be a finite number of at least 0; received " + std::to_string(stddev) + ".");
      break;
    }
    default:
      break;
  }
  return {in, inputs[0]->dtype};
}

Inferred shape_rows(Op op, const Inputs& inputs, Attrs&) {
  const Shape& logits = inputs[0]->shape;
  if (logits.rank() == 0) mismatch(op, "expected logits [..., classes].", inputs);
  if (op == Op::softmaxCrossEntropy) {
    if (inputs[1]->shape != logits) mismatch(op, "targets must have the shape of the logits, [..., classes].", inputs);
  } else {
    need_int32(op, *inputs[1], "labels");
    if (inputs[1]->shape != without_last(logits))
      mismatch(op, "labels must have the shape of the logits without the last dimension.", inputs);
  }
  return {without_last(logits), DType::float32};
}

Inferred shape_reshape(Op op, const Inputs& inputs, Attrs& attrs) {
  std::vector<int64_t> dims = attrs.ints("shape");
  const int64_t size = inputs[0]->shape.size();
  int unknown = -1;
  int64_t known = 1;
  for (size_t i = 0; i < dims.size(); ++i) {
    if (dims[i] == -1 && unknown < 0)
      unknown = static_cast<int>(i);
    else if (dims[i] < 0)
      invalid(op, "dimensions must not be negative, but for one -1.");
    else
      known = Shape({known, dims[i]}).size();
  }
  if (unknown >= 0 && known > 0 && size % known == 0) dims[unknown] = size / known;
  if ((unknown >= 0 && dims[unknown] < 0) || Shape(dims).size() != size)
    throw Error(
        code::kShapeMismatch,
        "reshape: " + std::to_string(size) + " elements of shape " + inputs[0]->shape.to_string() + " do not fit " +
            (unknown >= 0 && dims[unknown] < 0 ? "the given shape with -1" : "shape " + Shape(dims).to_string()) + ".");
  attrs.set("shape", dims);
  return {Shape(dims), inputs[0]->dtype};
}

Inferred shape_transpose(Op op, const Inputs& inputs, Attrs& attrs) {
  const Shape& in = inputs[0]->shape;
  std::vector<int64_t> order = attrs.ints("permutation");
  if (order.empty())
    for (int axis = in.rank(); axis-- > 0;) order.push_back(axis);
  if (static_cast<int>(order.size()) != in.rank())
    invalid(op, "the permutation has " + std::to_string(order.size()) + " axes, the tensor " + in.to_string() +
                    " has " + std::to_string(in.rank()) + ".");
  std::vector<int64_t> dims, seen(order.size(), 0);
  for (int64_t& axis : order) {
    axis = normal_axis(op, axis, in.rank());
    if (seen[axis]++) invalid(op, "axis " + std::to_string(axis) + " is given twice in the permutation.");
    dims.push_back(in[axis]);
  }
  attrs.set("permutation", order);
  return {Shape(dims), inputs[0]->dtype};
}

Inferred shape_broadcast(Op op, const Inputs& inputs, Attrs& attrs) {
  const Shape target(attrs.ints("shape"));
  Shape out;
  if (!broadcast(inputs[0]->shape, target, &out) || out != target)
    mismatch(op, "the tensor does not broadcast to " + target.to_string() + ".", inputs);
  return {target, inputs[0]->dtype};
}

Inferred shape_concat(Op op, const Inputs& inputs, Attrs& attrs) {
  const Shape& first = inputs[0]->shape;
  if (first.rank() == 0) mismatch(op, "expected at least one dimension.", inputs);
  const int64_t axis = set_axis(op, attrs, first.rank());
  int64_t size = 0;
  for (const Node* input : inputs) {
    const Shape& in = input->shape;
    if (in.rank() != first.rank() || replaced(in, axis, 0) != replaced(first, axis, 0))
      mismatch(op, "shapes must agree in all dimensions but axis " + std::to_string(axis) + ".", inputs);
    size += in[axis];
  }
  return {replaced(first, axis, size), inputs[0]->dtype};
}

Inferred shape_slice(Op op, const Inputs& inputs, Attrs& attrs) {
  const Shape& in = inputs[0]->shape;
  std::vector<int64_t> begin = attrs.ints("begin"), size = attrs.ints("size");
  if (begin.size() > static_cast<size_t>(in.rank()) || size.size() > static_cast<size_t>(in.rank()))
    invalid(op, "more positions than dimensions of " + in.to_string() + ".");
  begin.resize(in.rank(), 0);
  size.resize(in.rank(), -1);
  for (int axis = 0; axis < in.rank(); ++axis) {
    if (begin[axis] < 0) begin[axis] += in[axis];
    if (size[axis] == -1) size[axis] = in[axis] - begin[axis];
    if (begin[axis] < 0 || size[axis] < 0 || begin[axis] > in[axis] || size[axis] > in[axis] - begin[axis])
      throw Error(code::kOutOfRange, "slice: begin " + std::to_string(begin[axis]) + " and size " +
                                         std::to_string(size[axis]) + " leave axis " + std::to_string(axis) + " of " +
                                         in.to_string() + ".");
  }
  attrs.set("begin", begin);
  attrs.set("size", size);
  return {Shape(size), inputs[0]->dtype};
}

Inferred shape_pad(Op op, const Inputs& inputs, Attrs& attrs) {
  const Shape& in = inputs[0]->shape;
  const std::vector<int64_t> before = attrs.ints("before"), after = attrs.ints("after");
  if (static_cast<int>(before.size()) != in.rank() || static_cast<int>(after.size()) != in.rank())
    invalid(op, "expected one count before and one after for each dimension of " + in.to_string() + ".");
  std::vector<int64_t> dims;
  for (int axis = 0; axis < in.rank(); ++axis) {
    if (before[axis] < 0 || after[axis] < 0) invalid(op, "counts must not be negative.");
    dims.push_back(before[axis] + in[axis] + after[axis]);
  }
  return {Shape(dims), inputs[0]->dtype};
}

Inferred shape_gather(Op op, const Inputs& inputs, Attrs& attrs) {
  const Shape &in = inputs[0]->shape, &indices = inputs[1]->shape;
  need_int32(op, *inputs[1], "indices");
  if (in.rank() == 0) mismatch(op, "expected at least one dimension.", inputs);
  const int64_t axis = set_axis(op, attrs, in.rank());
  std::vector<int64_t> dims = in.to_vector();
  dims.erase(dims.begin() + axis);
  dims.insert(dims.begin() + axis, indices.begin(), indices.end());
  return {Shape(dims), inputs[0]->dtype};
}

Inferred shape_scatter(Op op, const Inputs& inputs, Attrs& attrs) {
  const Shape &indices = inputs[0]->shape, &updates = inputs[1]->shape;
  need_int32(op, *inputs[0], "indices");
  const int64_t axis = attrs.integer("axis"), size = attrs.integer("size");
  const int rest = updates.rank() - indices.rank();
  if (axis < 0 || rest < 0 || axis > rest || size < 0)
    mismatch(op, "expected updates with the dimensions of the indices at the axis.", inputs);
  std::vector<int64_t> dims = updates.to_vector();
  for (int i = 0; i < indices.rank(); ++i)
    if (dims[axis + i] != indices[i])
      mismatch(op, "expected updates with the dimensions of the indices at axis " + std::to_string(axis) + ".", inputs);
  dims.erase(dims.begin() + axis, dims.begin() + axis + indices.rank());
  dims.insert(dims.begin() + axis, size);
  return {Shape(dims), inputs[1]->dtype};
}

Inferred shape_one_hot(Op op, const Inputs& inputs, Attrs& attrs) {
  need_int32(op, *inputs[0], "labels");
  const int64_t depth = attrs.integer("depth");
  if (depth < 1) invalid(op, "depth must be at least 1; received " + std::to_string(depth) + ".");
  Shape shape = inputs[0]->shape;
  shape.push_back(depth);
  return {shape, DType::float32};
}

Inferred shape_cast(Op op, const Inputs& inputs, Attrs& attrs) {
  const int64_t dtype = attrs.integer("dtype", -1);
  if (dtype < 0 || dtype >= kDTypeCount) invalid(op, "unknown dtype.");
  return {inputs[0]->shape, static_cast<DType>(dtype)};
}

/// Rows of the matrix whose first operands are indptr and indices.
int64_t sparse_rows(Op op, const Inputs& inputs) {
  need_int32(op, *inputs[0], "indptr");
  need_int32(op, *inputs[1], "indices");
  if (inputs[0]->shape.rank() != 1 || inputs[0]->shape.size() < 1 || inputs[1]->shape.rank() != 1)
    mismatch(op, "expected indptr [rows + 1] and indices [values].", inputs);
  return inputs[0]->shape.size() - 1;
}

void need_values(Op op, const Inputs& inputs) {
  if (inputs[2]->shape != inputs[1]->shape) mismatch(op, "expected an index for each value.", inputs);
}

Inferred shape_sparse_matmul(Op op, const Inputs& inputs, Attrs& attrs) {
  const int64_t rows = sparse_rows(op, inputs);
  need_values(op, inputs);
  const Shape& b = inputs[3]->shape;
  if (b.rank() != 2) mismatch(op, "expected a matrix b.", inputs);
  const bool transpose = attrs.flag("transposeA");
  const int64_t columns = attrs.integer("columns", transpose ? -1 : b[0]);
  if (columns < 0 || columns > INT32_MAX) invalid(op, "expected the number of columns, at most 2147483647.");
  if (b[0] != (transpose ? rows : columns))
    mismatch(op,
             "b must have " + std::to_string(transpose ? rows : columns) + " rows, one for each " +
                 (transpose ? "row" : "column") + " of the sparse matrix.",
             inputs);
  attrs.set("columns", static_cast<double>(columns));
  return {Shape({transpose ? columns : rows, b[1]}), DType::float32};
}

Inferred shape_sparse_values(Op op, const Inputs& inputs, Attrs&) {
  const int64_t rows = sparse_rows(op, inputs);
  const Shape &a = inputs[2]->shape, &b = inputs[3]->shape;
  if (a.rank() != 2 || b.rank() != 2 || a[0] != rows || a[1] != b[1])
    mismatch(op, "expected a [rows, n] and b [columns, n].", inputs);
  return {inputs[1]->shape, DType::float32};
}

Inferred shape_sparse_dropout(Op op, const Inputs& inputs, Attrs& attrs) {
  sparse_rows(op, inputs);
  need_values(op, inputs);
  const double rate = attrs.number("rate");
  if (!(rate >= 0 && rate < 1)) invalid(op, "rate must be in [0, 1); received " + std::to_string(rate) + ".");
  if (attrs.integer("columns") < 0) invalid(op, "expected the number of columns.");
  return {inputs[2]->shape, DType::float32};
}

using attention::shape_attention;
using attention::shape_attention_grad;
using normalization::shape_normalization;
using normalization::shape_normalization_grad;
using normalization::shape_normalization_scale;
using recurrent::shape_recurrent;
using recurrent::shape_recurrent_grad;
using namespace windows;
using Rule = Inferred (*)(Op, const Inputs&, Attrs&);

Inferred shape_composite(Op op, const Inputs&, Attrs&) { invalid(op, "composites have no node of their own."); }

constexpr Rule kRules[] = {
#define UNARY(name, functor, types, attributes, gradient) shape_elementwise,
#define BINARY(name, functor, types, attributes, gradient) shape_elementwise,
#define TERNARY(name, functor, types, attributes, gradient) shape_elementwise,
#define OP(name, arity, shape, attributes, gradient) shape_##shape,
#define COMPOSITE(name, arity, attributes) shape_composite,
#include "ops/ops.def"
};

}  // namespace

Inferred infer(Op op, const std::vector<const Node*>& inputs, Attrs& attrs) {
  return kRules[static_cast<int>(op)](op, inputs, attrs);
}

}  // namespace downhill
