#include "autodiff/attention.h"

#include "autodiff/expressions.h"
#include "graph/attention.h"
#include "ops/attention.h"

namespace downhill {

namespace {

namespace formula = DH_ISA::attention;

/// Cotangents of the results: what the op keeps beside them is read by nobody else.
Expr of_results(Expr d_y, const AttentionSizes& s) {
  const Node& node = d_y.node();
  if (node.op == Op::pad) {  // zeros elsewhere: what all models ask for
    const Expr inner{d_y.graph, node.inputs[0]};
    if (inner.shape() == Shape({s.n, s.queries, s.results()}) && node.attrs.ints("before")[2] == 0) return inner;
  }
  return slice(d_y, {0, 0, 0}, {s.n, s.queries, s.results()});
}

/// All that the way back is made of, as matrices [n, heads, …, …].
struct Scores {
  AttentionSizes sizes;
  Expr q, k, v;   // (n, heads, steps, dim)
  Expr d;         // of the results
  Expr p;         // probabilities, before dropout
  Expr d_scores;  // of scores with their mask
  Attrs dropout;
  bool drops;

  Expr dropped(Expr x) const { return drops ? apply(Op::dropout, {x}, dropout) : x; }
};

Expr by_heads(Expr x) { return transpose(x, {0, 2, 1, 3}); }

/// Of each query; zeros where it sees no key.
Expr probabilities(Expr scores) {
  const Expr top = apply(Op::max, {scores}, Attrs().set("axes", Dims{3}).set("keepDims", 1));
  const Expr sees = apply(Op::notEqual, {top, number(scores, formula::kHidden)}), zero = number(scores, 0);
  const Expr some = apply(Op::softmax, {apply(Op::where, {sees, scores, zero})}, Attrs().set("axis", 3));
  return apply(Op::where, {sees, some, zero});
}

/// [queries, keys]: whether the order of time shows the key.
Expr in_time(Graph& graph, int64_t queries, int64_t keys) {
  const auto list = [&](int64_t n, const Shape& shape, auto value_of) {
    const auto storage = std::make_shared<Storage>();
    storage->bytes = static_cast<size_t>(n) * sizeof(int32_t);
    storage->buffer = std::make_shared<Buffer>(storage->bytes);
    for (int64_t i = 0; i < n; ++i) reinterpret_cast<int32_t*>(storage->data())[i] = static_cast<int32_t>(value_of(i));
    return Expr{&graph, graph.constant(storage, shape, DType::int32)};
  };
  return apply(Op::less, {list(keys, {1, keys}, [](int64_t key) { return key; }),
                          list(queries, {queries, 1}, [](int64_t query) { return formula::causal_keys(query); })});
}

Scores scores_of(const AttentionSizes& s, const Attrs& attrs, Expr d, const std::vector<Expr>& operands) {
  Scores r;
  r.sizes = s;
  const auto part = [&](int64_t which) {
    return by_heads(reshape(slice(operands[0], {0, 0, which, 0, 0}, {s.n, s.queries, 1, s.heads, s.dim}),
                            {s.n, s.queries, s.heads, s.dim}));
  };
  r.q = s.packed ? part(0) : by_heads(operands[0]);
  r.k = s.packed ? part(1) : by_heads(operands[1]);
  r.v = s.packed ? part(2) : by_heads(operands[2]);
  r.d = by_heads(reshape(d, {s.n, s.queries, s.heads, s.value_dim}));
  r.drops = attrs.number("rate") > 0;
  r.dropout.set("rate", attrs.number("rate")).set("key", attrs.number("key"));

  Expr scores = matmul(r.q, r.k, false, true) * attrs.number("scale", 1);
  const Expr hidden = number(scores, formula::kHidden);
  if (s.mask >= 0) {
    const Expr mask = operands.back();
    if (mask.node().dtype == DType::float32)
      scores = scores + mask;
    else
      scores = apply(Op::where,
                     {apply(Op::notEqual, {mask, {mask.graph, mask.graph->scalar(0, DType::int32)}}), scores, hidden});
  }
  const bool any = s.queries > 0 && s.keys > 0;
  if (attrs.flag("causal") && any)
    scores = apply(Op::where, {in_time(*scores.graph, s.queries, s.keys), scores, hidden});
  const Attrs axis = Attrs().set("axis", 3);
  r.p = s.mask >= 0 && any ? probabilities(scores) : apply(Op::softmax, {scores}, axis);
  r.d_scores = apply(Op::softmaxGrad, {r.p, r.dropped(matmul(r.d, r.v, false, true))}, axis);
  return r;
}

}  // namespace

std::vector<Expr> attention_gradients(const Tangents& t) {
  const AttentionSizes s = attention_sizes(t.node.op, static_cast<int>(t.x.size()),
                                           [&](int i) -> const Shape& { return t.x[static_cast<size_t>(i)].shape(); });
  const Expr d = of_results(t.d_y, s);
  std::vector<Expr> operands{t.y, d};
  operands.insert(operands.end(), t.x.begin(), t.x.end());
  const Expr all = apply(Op::attentionGrad, operands, t.node.attrs);
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
  result.push_back(wanted ? sum_to(scores_of(s, t.node.attrs, d, t.x).d_scores, mask.shape()) : Expr{});
  return result;
}

Expr decompose_attention(Graph& graph, const Node& node) {
  std::vector<Expr> x;
  for (NodeId input : node.inputs) x.push_back({&graph, input});
  const AttentionSizes s = attention_sizes(node.op, static_cast<int>(x.size()),
                                           [&](int i) -> const Shape& { return x[static_cast<size_t>(i)].shape(); });
  const Scores r = scores_of(s, node.attrs, x[1], {x.begin() + 2, x.end()});
  const Expr d_products = r.d_scores * node.attrs.number("scale", 1);
  const Expr parts[] = {by_heads(matmul(d_products, r.k, false, false)), by_heads(matmul(d_products, r.q, true, false)),
                        by_heads(matmul(r.dropped(r.p), r.d, true, false))};
  std::vector<Expr> lined;
  for (const Expr& part : parts)
    lined.push_back(reshape(part, s.packed ? Dims{s.n, s.queries, 1, s.heads, s.dim} : Dims{part.shape().size()}));
  return concat(lined, s.packed ? 2 : 0);
}

}  // namespace downhill
