#include "graph/infer_attention.h"

#include "graph/attention.h"

namespace downhill::attention {

namespace {

/// Of the operands from `first` on, and the attributes.
AttentionSizes checked(Op op, const Inputs& inputs, const Attrs& attrs, int first) {
  const int count = static_cast<int>(inputs.size()), operands = count - first;
  if (operands < 1 || operands > 4) invalid(op, "expected queries, keys and values.");
  const auto shape = [&](int i) -> const Shape& { return inputs[static_cast<size_t>(first + i)]->shape; };
  const Shape& q = shape(0);
  if (operands < 3) {
    if (q.rank() != 5 || q[2] != 3)
      mismatch(op, "expected queries, keys and values [n, steps, 3, heads, dim].", inputs);
  } else {
    const Shape &k = shape(1), &v = shape(2);
    const bool fits = q.rank() == 4 && k.rank() == 4 && v.rank() == 4 && k[0] == q[0] && v[0] == q[0] && k[1] == v[1] &&
                      k[2] == q[2] && v[2] == q[2] && k[3] == q[3];
    if (!fits)
      mismatch(op,
               "expected queries [n, steps, heads, dim], keys [n, keys, heads, dim] and values [n, keys, heads, "
               "valueDim].",
               inputs);
  }
  const AttentionSizes sizes = attention_sizes(op, count, [&](int i) -> const Shape& { return shape(i - first); });
  if (sizes.heads < 1 || sizes.dim < 1 || sizes.value_dim < 1)
    mismatch(op, "heads and dimensions must be at least 1.", inputs);
  if (sizes.mask >= 0) {
    const Shape &mask = inputs[static_cast<size_t>(sizes.mask)]->shape, scores = sizes.scores();
    bool fits = mask.rank() == 4;
    for (int axis = 0; fits && axis < 4; ++axis) fits = mask[axis] == 1 || mask[axis] == scores[axis];
    if (!fits)
      mismatch(op, "the mask must broadcast to the scores [n, heads, steps, keys], " + scores.to_string() + ".",
               inputs);
  }
  const double rate = attrs.number("rate");
  if (!(rate >= 0 && rate < 1)) invalid(op, "rate must be in [0, 1); received " + std::to_string(rate) + ".");
  return sizes;
}

}  // namespace

Inferred shape_attention(Op op, const Inputs& inputs, Attrs& attrs) {
  const AttentionSizes s = checked(op, inputs, attrs, 0);
  return {Shape({s.n, s.queries, s.out_row()}), DType::float32};
}

Inferred shape_attention_grad(Op op, const Inputs& inputs, Attrs& attrs) {
  if (inputs.size() < 3) invalid(op, "expected y, d and the operands.");
  const AttentionSizes s = checked(op, inputs, attrs, 2);
  const Shape &y = inputs[0]->shape, &d = inputs[1]->shape;
  if (y != Shape({s.n, s.queries, s.out_row()}) || d != Shape({s.n, s.queries, s.results()}))
    mismatch(op, "expected a result and its gradient.", inputs);
  if (s.packed) return {inputs[2]->shape, DType::float32};
  return {Shape({s.q_size() + s.k_size() + s.v_size()}), DType::float32};
}

}  // namespace downhill::attention
