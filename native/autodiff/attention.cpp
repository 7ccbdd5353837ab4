#include "autodiff/attention.h"

#include "graph/attention.h"

namespace downhill {

namespace {

using Dims = std::vector<int64_t>;

Expr add_op(Op op, const std::vector<Expr>& inputs, Attrs attrs = {}) {
  std::vector<NodeId> ids;
  for (const Expr& input : inputs) ids.push_back(input.id);
  return {inputs[0].graph, inputs[0].graph->add(op, ids, std::move(attrs))};
}
Expr slice(Expr x, Dims begin, Dims size) {
  return apply(Op::slice, {x}, Attrs().set("begin", std::move(begin)).set("size", std::move(size)));
}
Expr reshape(Expr x, Dims shape) { return apply(Op::reshape, {x}, Attrs().set("shape", std::move(shape))); }
Expr transpose(Expr x, Dims order) { return apply(Op::transpose, {x}, Attrs().set("permutation", std::move(order))); }
Expr matmul(Expr a, Expr b, bool transpose_a, bool transpose_b) {
  return apply(Op::matmul, {a, b}, Attrs().set("transposeA", transpose_a).set("transposeB", transpose_b));
}
Expr number(Expr like, double value) { return {like.graph, like.graph->scalar(value)}; }

/// Cotangents of the results alone, if those of the logs are zero by construction: what all models ask for.
Expr results_alone(Expr d_y, int64_t columns) {
  const Node& node = d_y.node();
  if (node.op != Op::pad) return d_y;
  const Expr inner{d_y.graph, node.inputs[0]};
  const Shape &inside = inner.shape(), &all = d_y.shape();
  const bool only =
      inside[0] == all[0] && inside[1] == all[1] && inside[2] == columns && node.attrs.ints("before")[2] == 0;
  return only ? inner : d_y;
}

/// All that the way back is made of, as matrices [n, heads, …, …].
struct Scores {
  AttentionSizes sizes;
  Expr q, k, v;   // (n, heads, steps, dim)
  Expr d;         // of the results
  Expr p;         // probabilities, before dropout
  Expr d_p;       // of these
  Expr d_scores;  // of scores with their mask
  Attrs dropout;
  bool drops;

  Expr dropped(Expr x) const { return drops ? apply(Op::dropout, {x}, dropout) : x; }
};

Expr by_heads(Expr x) { return transpose(x, {0, 2, 1, 3}); }

/// Below this a score counts as hidden: -inf, which a difference of two may not meet.
constexpr double kLeast = -1e38;

Scores scores_of(const AttentionSizes& s, const Attrs& attrs, Expr y, Expr d, const std::vector<Expr>& operands) {
  Scores r;
  r.sizes = s;
  const auto part = [&](int64_t which) {
    return by_heads(reshape(slice(operands[0], {0, 0, which, 0, 0}, {s.n, s.queries, 1, s.heads, s.dim}),
                            {s.n, s.queries, s.heads, s.dim}));
  };
  r.q = s.packed ? part(0) : by_heads(operands[0]);
  r.k = s.packed ? part(1) : by_heads(operands[1]);
  r.v = s.packed ? part(2) : by_heads(operands[2]);
  const int64_t width = s.heads * s.value_dim;
  const auto results = [&](Expr x) {
    if (x.shape()[2] != width) x = slice(x, {0, 0, 0}, {s.n, s.queries, width});
    return by_heads(reshape(x, {s.n, s.queries, s.heads, s.value_dim}));
  };
  const auto logs = [&](Expr x) {  // (n, heads, queries, 1)
    return by_heads(reshape(slice(x, {0, 0, width}, {s.n, s.queries, s.heads}), {s.n, s.queries, s.heads, 1}));
  };
  const Expr out = results(y);
  r.d = results(d);
  r.drops = attrs.number("rate") > 0;
  r.dropout.set("rate", attrs.number("rate")).set("key", attrs.number("key"));

  Expr scores = matmul(r.q, r.k, false, true) * attrs.number("scale", 1);
  const Expr none = number(scores, kLeast);
  if (s.mask >= 0) {
    const Expr mask = operands.back();
    if (mask.node().dtype == DType::float32)
      scores = scores + mask;
    else
      scores = apply(Op::where,
                     {apply(Op::notEqual, {mask, {mask.graph, mask.graph->scalar(0, DType::int32)}}), scores, none});
  }
  if (attrs.flag("causal")) {
    const auto count = [&](int64_t n, Dims shape) {  // 0, 1, …
      Storage values;
      values.buffer = std::make_shared<Buffer>(static_cast<size_t>(n) * sizeof(int32_t));
      values.bytes = static_cast<size_t>(n) * sizeof(int32_t);
      for (int64_t i = 0; i < n; ++i) reinterpret_cast<int32_t*>(values.data())[i] = static_cast<int32_t>(i);
      const NodeId id = scores.graph->constant(std::make_shared<Storage>(values), Shape(shape), DType::int32);
      return Expr{scores.graph, id};
    };
    if (s.queries > 0 && s.keys > 0)
      scores = apply(Op::where, {apply(Op::lessEqual, {count(s.keys, {1, s.keys}), count(s.queries, {s.queries, 1})}),
                                 scores, none});
  }
  const Expr seen = apply(Op::greater, {scores, none});
  r.p = apply(Op::exp, {apply(Op::where, {seen, scores - logs(y), number(scores, -1e4)})});
  r.d_p = r.dropped(matmul(r.d, r.v, false, true));
  Expr delta = apply(Op::sum, {r.d * out}, Attrs().set("axes", Dims{3}).set("keepDims", 1));
  if (d.shape()[2] != width) delta = delta - logs(d);
  r.d_scores = r.p * (r.d_p - delta);
  return r;
}

}  // namespace

std::vector<Expr> attention_gradients(const Tangents& t) {
  const AttentionSizes s = attention_sizes(t.node.op, static_cast<int>(t.x.size()),
                                           [&](int i) -> const Shape& { return t.x[static_cast<size_t>(i)].shape(); });
  const Expr d = results_alone(t.d_y, s.heads * s.value_dim);
  std::vector<Expr> operands{t.y, d};
  operands.insert(operands.end(), t.x.begin(), t.x.end());
  const Expr all = add_op(Op::attentionGrad, operands, t.node.attrs);
  std::vector<Expr> result;
  if (s.packed) {
    result.push_back(all);
  } else {
    const int64_t sizes[] = {s.q_size(), s.k_size(), s.v_size()};
    int64_t begin = 0;
    for (size_t i = 0; i < 3; begin += sizes[i++])
      result.push_back(reshape(slice(all, {begin}, {sizes[i]}), t.x[i].shape().to_vector()));
  }
  if (s.mask < 0) return result;
  const Expr mask = t.x.back();
  // What no variable or operation made needs no gradient: not even the nodes of one.
  const bool wanted = mask.node().dtype == DType::float32 && mask.node().op != Op::constant;
  result.push_back(wanted ? sum_to(scores_of(s, t.node.attrs, t.y, d, t.x).d_scores, mask.shape()) : Expr{});
  return result;
}

Expr decompose_attention(Graph& graph, const Node& node) {
  std::vector<Expr> x;
  for (NodeId input : node.inputs) x.push_back({&graph, input});
  const AttentionSizes s = attention_sizes(node.op, static_cast<int>(x.size()),
                                           [&](int i) -> const Shape& { return x[static_cast<size_t>(i)].shape(); });
  const Scores r = scores_of(s, node.attrs, x[0], x[1], {x.begin() + 2, x.end()});
  const Expr d_products = r.d_scores * node.attrs.number("scale", 1);
  const Expr parts[] = {by_heads(matmul(d_products, r.k, false, false)), by_heads(matmul(d_products, r.q, true, false)),
                        by_heads(matmul(r.dropped(r.p), r.d, true, false))};
  std::vector<Expr> lined;
  for (const Expr& part : parts)
    lined.push_back(reshape(part, s.packed ? Dims{s.n, s.queries, 1, s.heads, s.dim} : Dims{part.shape().size()}));
  return add_op(Op::concat, lined, Attrs().set("axis", s.packed ? 2.0 : 0.0));
}

}  // namespace downhill
