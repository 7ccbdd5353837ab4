#include "autodiff/expressions.h"

namespace downhill {

Expr apply(Op op, const std::vector<Expr>& inputs, Attrs attrs) {
  std::vector<NodeId> ids;
  for (const Expr& input : inputs) ids.push_back(input.id);
  return {inputs[0].graph, inputs[0].graph->add(op, ids, std::move(attrs))};
}

Expr slice(Expr x, Dims begin, Dims size) {
  return apply(Op::slice, {x}, Attrs().set("begin", std::move(begin)).set("size", std::move(size)));
}

Expr pad(Expr x, Dims before, Dims after) {
  return apply(Op::pad, {x}, Attrs().set("before", std::move(before)).set("after", std::move(after)));
}

Expr reshape(Expr x, Dims shape) { return apply(Op::reshape, {x}, Attrs().set("shape", std::move(shape))); }

Expr transpose(Expr x, Dims order) { return apply(Op::transpose, {x}, Attrs().set("permutation", std::move(order))); }

Expr concat(const std::vector<Expr>& parts, int64_t axis) {
  return parts.size() == 1 ? parts[0] : apply(Op::concat, parts, Attrs().set("axis", static_cast<double>(axis)));
}

Expr column(Expr x) {
  Dims dims = x.shape().to_vector();
  dims.push_back(1);
  return reshape(x, std::move(dims));
}

Expr matmul(Expr a, Expr b, bool transpose_a, bool transpose_b) {
  return apply(Op::matmul, {a, b}, Attrs().set("transposeA", transpose_a).set("transposeB", transpose_b));
}

Expr number(Expr x, double value) { return {x.graph, x.graph->scalar(value)}; }

}  // namespace downhill
