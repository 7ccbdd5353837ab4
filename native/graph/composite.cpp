#include "graph/composite.h"

#include "core/error.h"

namespace downhill {

namespace {

/// Keras's bound for probabilities in cross-entropies.
constexpr double kEpsilon = 1e-7;

Expr to_float(Expr x) {
  return x.node().dtype == DType::float32
             ? x
             : apply(Op::cast, {x}, Attrs().set("dtype", static_cast<double>(DType::float32)));
}

Expr sum(Expr x, const Attrs& attrs) { return apply(Op::sum, {x}, attrs); }

Expr clip_probability(Expr p) { return apply(Op::clip, {p}, Attrs().set("low", kEpsilon).set("high", 1 - kEpsilon)); }

/// Σx / n over the axes. Of nothing: NaN, as NumPy.
Expr mean(Expr x, const Attrs& attrs) {
  x = to_float(x);
  const Expr total = sum(x, attrs);
  const double count =
      total.shape().size() ? static_cast<double>(x.shape().size()) / static_cast<double>(total.shape().size()) : 1;
  return total / count;
}

Expr variance(Expr x, const Attrs& attrs) {
  x = to_float(x);
  Attrs keep = attrs;
  keep.set("keepDims", 1);
  return mean(apply(Op::square, {x - mean(x, keep)}), attrs);
}

/// The node below `op`, looking through reshapes that keep the last dimension; invalid when there is none.
Expr behind(Expr x, Op op) { return x.node().op == op ? Expr{x.graph, x.node().inputs[0]} : Expr{}; }

bool over_last(const Node& softmax) { return softmax.attrs.integer("axis") == softmax.shape.rank() - 1; }

Attrs last_axis(Expr x) { return Attrs().set("axes", std::vector<int64_t>{x.shape().rank() - 1}); }

Expr normalised_log(Expr p) {
  Attrs keep = last_axis(p);
  keep.set("keepDims", 1);
  return apply(Op::log, {clip_probability(p / sum(p, keep))});
}

/// −Σ_c t_c log p_c, from the logits when p is a softmax.
Expr categorical_cross_entropy(Expr p, Expr t) {
  p = to_float(p);
  if (p.shape().rank() == 0 || p.shape() != t.shape())
    throw Error(
        code::kShapeMismatch,
        "categoricalCrossEntropy: targets must have the shape of the predictions, [..., classes]. Received targets " +
            t.shape().to_string() + " and predictions " + p.shape().to_string() +
            ". For integer labels use the sparse categorical cross-entropy.");
  if (p.node().op == Op::softmax && over_last(p.node()))
    return apply(Op::softmaxCrossEntropy, {behind(p, Op::softmax), t});
  return -sum(t * normalised_log(p), last_axis(p));
}

/// −log p_label.
Expr sparse_categorical_cross_entropy(Expr p, Expr labels) {
  p = to_float(p);
  if (p.node().op == Op::softmax && over_last(p.node()))
    return apply(Op::sparseSoftmaxCrossEntropy, {behind(p, Op::softmax), labels});
  if (p.shape().rank() == 0)
    throw Error(code::kShapeMismatch, "sparseCategoricalCrossEntropy: predictions must be [..., classes].");
  const Expr hot =
      apply(Op::oneHot, {labels}, Attrs().set("depth", static_cast<double>(p.shape()[p.shape().rank() - 1])));
  return -sum(hot * normalised_log(p), last_axis(p));
}

/// −t log p − (1 − t) log(1 − p); softplus(z) − t z from the logits z when p is a sigmoid.
Expr binary_cross_entropy(Expr p, Expr t) {
  p = to_float(p);
  t = to_float(t);
  if (p.node().op == Op::sigmoid) {
    const Expr z = behind(p, Op::sigmoid);
    return apply(Op::softplus, {z}) - t * z;
  }
  const Expr q = clip_probability(p);
  return -(t * apply(Op::log, {q}) + (1.0 - t) * apply(Op::log, {1.0 - q}));
}

}  // namespace

NodeId build_composite(Graph& graph, Op op, const std::vector<NodeId>& inputs, const Attrs& attrs) {
  const Expr x{&graph, inputs[0]};
  switch (op) {
    case Op::mean:
      return mean(x, attrs).id;
    case Op::variance:
      return variance(x, attrs).id;
    case Op::norm:
      return apply(Op::sqrt, {sum(apply(Op::square, {to_float(x)}), attrs)}).id;
    case Op::categoricalCrossEntropy:
      return categorical_cross_entropy(x, {&graph, inputs[1]}).id;
    case Op::sparseCategoricalCrossEntropy:
      return sparse_categorical_cross_entropy(x, {&graph, inputs[1]}).id;
    case Op::binaryCrossEntropy:
      return binary_cross_entropy(x, {&graph, inputs[1]}).id;
    default:
      throw Error(code::kInternal, std::string("No composite ") + name_of(op) + ".");
  }
}

}  // namespace downhill
