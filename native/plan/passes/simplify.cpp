#include <algorithm>
#include <cstring>

#include "ops/noise.h"
#include "plan/passes/passes.h"

namespace downhill {

namespace {

constexpr NodeId kKeep = -1;

bool is_scalar_constant(const Node& node, float value) {
  return node.op == Op::constant && node.shape.size() == 1 && node.dtype == DType::float32 &&
         *reinterpret_cast<const float*>(node.storage->host()) == value;
}

/// The last two axes exchanged, all others in place.
bool swaps_last_two(const Node& node) {
  const int rank = node.shape.rank();
  if (node.op != Op::transpose || rank < 2) return false;
  const std::vector<int64_t> order = node.attrs.ints("permutation");
  for (int axis = 0; axis < rank - 2; ++axis)
    if (order[axis] != axis) return false;
  return order[rank - 2] == rank - 1 && order[rank - 1] == rank - 2;
}

void fold_transposes(Ir& ir, Node& matmul) {
  const char* flags[] = {"transposeA", "transposeB"};
  for (int side = 0; side < 2; ++side) {
    const Node& operand = ir.nodes[matmul.inputs[side]];
    if (!swaps_last_two(operand)) continue;
    matmul.attrs.set(flags[side], !matmul.attrs.flag(flags[side]));
    matmul.inputs[side] = operand.inputs[0];
  }
}

/// Elementwise ops broadcast by themselves: reads the source of a broadcastTo where the result keeps its shape.
void skip_broadcasts(Ir& ir, Node& node) {
  for (size_t i = 0; i < node.inputs.size(); ++i) {
    const Node& operand = ir.nodes[node.inputs[i]];
    if (operand.op != Op::broadcastTo) continue;
    Shape shape = ir.nodes[operand.inputs[0]].shape;
    bool fits = true;
    for (size_t j = 0; j < node.inputs.size() && fits; ++j)
      if (j != i) fits = broadcast(shape, ir.nodes[node.inputs[j]].shape, &shape);
    if (fits && shape == node.shape) node.inputs[i] = operand.inputs[0];
  }
}

/// Where a relu's result y went through a dropout, the gradient y > 0 ? dropout(d) : 0 needs no random numbers: what
/// the dropout kept is above 0 in its own result, and nothing else is. So y is not kept for the backward pass either.
void read_dropped(Ir& ir, Node& node, const CommonSubexpressions& seen) {
  const Node& d = ir.nodes[node.inputs[1]];
  if (d.op != Op::dropout) return;
  const Attrs& attrs = d.attrs;
  const Shape& shape = ir.nodes[node.inputs[0]].shape;
  const NodeId forward = seen.find(ir, {Op::dropout, {node.inputs[0]}, attrs, shape, DType::float32, nullptr, -1, ""});
  if (forward < 0) return;
  const DH_ISA::Dropout dropout(static_cast<float>(attrs.number("rate")));
  const auto storage = std::make_shared<Storage>();
  storage->bytes = sizeof dropout.scale;
  storage->buffer = std::make_shared<Buffer>(storage->bytes);
  std::memcpy(storage->data(), &dropout.scale, sizeof dropout.scale);
  const NodeId scale = ir.push({Op::constant, {}, {}, Shape(), DType::float32, storage, -1, ""});
  Node product{Op::mul, {d.inputs[0], scale}, {}, node.shape, DType::float32, nullptr, -1, node.label};
  product.unit = node.unit;
  product.phase = node.phase;
  node.inputs = {forward, ir.push(std::move(product))};
}

/// Of a relu whose result was pooled: each window's largest says whether its gradient passes, so that the mask is
/// applied to the pooled gradient, of fewer pixels, before it is spread.
void mask_before_spreading(Ir& ir, Node& node, CommonSubexpressions& seen) {
  const NodeId y = node.inputs[0];
  const Node& spread = ir.nodes[node.inputs[1]];
  if (spread.op != Op::maxPool2dGrad || spread.inputs[0] != y) return;
  const Shape& shape = ir.nodes[spread.inputs[1]].shape;
  const NodeId pooled = seen.find(ir, {Op::maxPool2d, {y}, spread.attrs, shape, DType::float32, nullptr, -1, ""});
  if (pooled < 0) return;
  Node mask{Op::reluGrad, {pooled, spread.inputs[1]}, {}, shape, DType::float32, nullptr, -1, node.label};
  mask.unit = node.unit;
  mask.phase = node.phase;
  read_dropped(ir, mask, seen);
  node.op = Op::maxPool2dGrad;
  node.attrs = spread.attrs;
  node.label = spread.label;
  node.inputs[1] = seen.find_or_remember(ir, ir.push(std::move(mask)));
}

/// Sums over images and pixels of what a max pool's gradient spreads, each element to one place: sums of those.
void sum_before_spreading(const Ir& ir, Node& node) {
  const Node& spread = ir.nodes[node.inputs[0]];
  if (spread.op != Op::maxPool2dGrad) return;
  const std::vector<int64_t> axes = node.attrs.ints("axes");
  const auto has = [&](int64_t axis) { return std::find(axes.begin(), axes.end(), axis) != axes.end(); };
  if (has(1) && has(2)) node.inputs[0] = spread.inputs[1];
}

/// A product of rows that is shown in another shape, with the same columns; -1: none.
NodeId product_behind(const Ir& ir, const Node& reshape) {
  if (reshape.op != Op::reshape) return -1;
  const Node& product = ir.nodes[reshape.inputs[0]];
  const int rank = reshape.shape.rank();
  const bool same =
      product.op == Op::matmul && product.shape.rank() == 2 && rank > 0 && product.shape[1] == reshape.shape[rank - 1];
  return same ? reshape.inputs[0] : -1;
}

/// reshape(product) + bias becomes reshape(product + bias), so that the bias is added to the product's blocks.
void add_before_reshape(Ir& ir, Node& node, CommonSubexpressions& seen) {
  for (size_t side = 0; side < 2; ++side) {
    const NodeId product = product_behind(ir, ir.nodes[node.inputs[side]]), bias = node.inputs[1 - side];
    if (product < 0 || ir.nodes[node.inputs[side]].shape != node.shape) continue;
    const Shape shape = ir.nodes[product].shape;
    if (ir.nodes[bias].shape != Shape({shape[1]}) || ir.nodes[bias].dtype != DType::float32) continue;
    Node add{Op::add, {product, bias}, {}, shape, DType::float32, nullptr, -1, node.label};
    add.unit = node.unit;
    add.phase = node.phase;
    const NodeId sum = seen.find_or_remember(ir, ir.push(std::move(add)));
    node.op = Op::reshape;
    node.inputs = {sum};
    node.attrs = Attrs().set("shape", node.shape.to_vector());
    return;
  }
}

bool in_order(const std::vector<int64_t>& permutation) {
  for (size_t i = 0; i < permutation.size(); ++i)
    if (permutation[i] != static_cast<int64_t>(i)) return false;
  return true;
}

}  // namespace

NodeId simplify(Ir& ir, Node& node, CommonSubexpressions& seen) {
  const auto in = [&](int i) -> const Node& { return ir.nodes[node.inputs[i]]; };
  if (is_elementwise(node.op)) skip_broadcasts(ir, node);
  switch (node.op) {
    case Op::identity:
    case Op::stopGradient:
      return node.inputs[0];
    case Op::reshape:
      if (in(0).op == Op::reshape) node.inputs[0] = in(0).inputs[0];
      return in(0).shape == node.shape ? node.inputs[0] : kKeep;
    case Op::broadcastTo:
      return in(0).shape == node.shape ? node.inputs[0] : kKeep;
    case Op::transpose:
      return in_order(node.attrs.ints("permutation")) ? node.inputs[0] : kKeep;
    case Op::dropout:
    case Op::gaussianDropout:
    case Op::gaussianNoise:
      return noise_params(node.op, node.attrs).amount == 0 ? node.inputs[0] : kKeep;
    case Op::neg:
      return in(0).op == Op::neg ? in(0).inputs[0] : kKeep;
    case Op::mul:
      if (in(0).shape == node.shape && is_scalar_constant(in(1), 1)) return node.inputs[0];
      return in(1).shape == node.shape && is_scalar_constant(in(0), 1) ? node.inputs[1] : kKeep;
    case Op::div:
      return in(0).shape == node.shape && is_scalar_constant(in(1), 1) ? node.inputs[0] : kKeep;
    case Op::add:
      add_before_reshape(ir, node, seen);
      return kKeep;
    case Op::reluGrad:
      read_dropped(ir, node, seen);
      mask_before_spreading(ir, node, seen);
      return kKeep;
    case Op::sum:
      sum_before_spreading(ir, node);
      return kKeep;
    case Op::matmul:
      fold_transposes(ir, node);
      return kKeep;
    default:
      return kKeep;
  }
}

}  // namespace downhill
