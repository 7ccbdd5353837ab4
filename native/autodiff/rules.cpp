#include "autodiff/rules.h"

#include <cmath>

#include "autodiff/attention.h"
#include "autodiff/expressions.h"
#include "autodiff/gradients.h"
#include "autodiff/normalization.h"
#include "autodiff/recurrent.h"
#include "core/error.h"

namespace downhill {

Expr sum_to(Expr x, const Shape& shape) {
  if (x.shape() == shape) return x;
  std::vector<int64_t> axes;
  const int lead = x.shape().rank() - shape.rank();
  for (int axis = 0; axis < x.shape().rank(); ++axis)
    if (axis < lead || (shape[axis - lead] == 1 && x.shape()[axis] != 1)) axes.push_back(axis);
  if (!axes.empty()) x = apply(Op::sum, {x}, Attrs().set("axes", axes).set("keepDims", 1));
  return x.shape() == shape ? x : apply(Op::reshape, {x}, Attrs().set("shape", shape.to_vector()));
}

namespace {

using Result = std::vector<Expr>;
const Expr kNone{};

Expr zero(const Tangents& t) { return {&t.graph, t.graph.scalar(0)}; }
Expr select(Expr condition, Expr a, Expr b) { return apply(Op::where, {condition, a, b}); }
Expr f(Op op, Expr x) { return apply(op, {x}); }
/// One fused gradient op with the forward op's attributes.
Expr fused(Op op, Expr saved, const Tangents& t) { return apply(op, {saved, t.d_y}, t.node.attrs); }
/// Both operands' cotangents, added up where they were broadcast.
Result pair(const Tangents& t, Expr d_a, Expr d_b) {
  return {sum_to(d_a, t.x[0].shape()), sum_to(d_b, t.x[1].shape())};
}

/// d_y of a reduction, stretched back over the reduced axes.
Expr stretch(const Tangents& t, Expr reduced) {
  std::vector<int64_t> dims = t.x[0].shape().to_vector();
  for (int64_t axis : t.node.attrs.ints("axes")) dims[axis] = 1;
  const Expr kept = apply(Op::reshape, {reduced}, Attrs().set("shape", dims));
  return apply(Op::broadcastTo, {kept}, Attrs().set("shape", t.x[0].shape().to_vector()));
}

// ---- elementwise --------------------------------------------------------------------------------------------------

Result grad_neg(const Tangents& t) { return {-t.d_y}; }
Result grad_abs(const Tangents& t) { return {t.d_y * f(Op::sign, t.x[0])}; }
Result grad_square(const Tangents& t) { return {t.d_y * (t.x[0] * 2.0)}; }
Result grad_exp(const Tangents& t) { return {t.d_y * t.y}; }
Result grad_log(const Tangents& t) { return {t.d_y / t.x[0]}; }
Result grad_sqrt(const Tangents& t) { return {t.d_y * 0.5 / t.y}; }
Result grad_rsqrt(const Tangents& t) { return {t.d_y * (t.y * t.y * t.y * -0.5)}; }
Result grad_erf(const Tangents& t) { return {t.d_y * (f(Op::exp, -f(Op::square, t.x[0])) * (2 / std::sqrt(M_PI)))}; }
Result grad_clip(const Tangents& t) {
  const Expr low{&t.graph, t.graph.scalar(t.node.attrs.number("low"))},
      high{&t.graph, t.graph.scalar(t.node.attrs.number("high"))};
  const Expr inside = apply(Op::greaterEqual, {t.x[0], low}) * apply(Op::lessEqual, {t.x[0], high});
  return {select(inside, t.d_y, zero(t))};
}
Result grad_relu(const Tangents& t) { return {fused(Op::reluGrad, t.y, t)}; }
Result grad_leaky_relu(const Tangents& t) { return {fused(Op::leakyReluGrad, t.x[0], t)}; }
Result grad_elu(const Tangents& t) { return {fused(Op::eluGrad, t.x[0], t)}; }
Result grad_selu(const Tangents& t) { return {fused(Op::seluGrad, t.x[0], t)}; }
Result grad_gelu(const Tangents& t) { return {fused(Op::geluGrad, t.x[0], t)}; }
Result grad_silu(const Tangents& t) { return {fused(Op::siluGrad, t.x[0], t)}; }
Result grad_sigmoid(const Tangents& t) { return {fused(Op::sigmoidGrad, t.y, t)}; }
Result grad_tanh(const Tangents& t) { return {fused(Op::tanhGrad, t.y, t)}; }
Result grad_softplus(const Tangents& t) { return {fused(Op::softplusGrad, t.x[0], t)}; }
Result grad_softsign(const Tangents& t) { return {fused(Op::softsignGrad, t.x[0], t)}; }

Result grad_add(const Tangents& t) { return pair(t, t.d_y, t.d_y); }
Result grad_sub(const Tangents& t) { return pair(t, t.d_y, -t.d_y); }
Result grad_mul(const Tangents& t) { return pair(t, t.d_y * t.x[1], t.d_y * t.x[0]); }
Result grad_div(const Tangents& t) { return pair(t, t.d_y / t.x[1], -(t.d_y * t.y / t.x[1])); }

/// The value of a scalar constant, or NaN.
double constant_of(Expr x) {
  const Node& node = x.node();
  if (node.op != Op::constant || node.shape.size() != 1 || node.dtype != DType::float32) return NAN;
  return *reinterpret_cast<const float*>(node.storage->host());
}

/// a^b: d_a = b a^(b−1), 0 where b = 0; d_b = a^b log a, 0 where a ≤ 0.
Result grad_pow(const Tangents& t) {
  const Expr a = t.x[0], b = t.x[1];
  const double exponent = constant_of(b);
  Expr d_a;
  if (exponent == 2)
    d_a = t.d_y * (a * 2.0);
  else if (exponent == 1)
    d_a = t.d_y;
  else if (exponent == 0)
    d_a = t.d_y * 0.0;
  else if (!std::isnan(exponent))
    d_a = t.d_y * (apply(Op::pow, {a, {&t.graph, t.graph.scalar(exponent - 1)}}) * exponent);
  else {
    const Expr is_zero = apply(Op::equal, {b, zero(t)});
    const Expr safe = select(is_zero, b + 1.0, b);  // keeps 0 · ∞ out of the second derivative
    d_a = select(is_zero, zero(t), t.d_y * (b * apply(Op::pow, {a, safe + -1.0})));
  }
  const Expr positive = apply(Op::greater, {a, zero(t)});
  const Expr one{&t.graph, t.graph.scalar(1)};
  const Expr d_b = select(positive, t.d_y * t.y * f(Op::log, select(positive, a, one)), zero(t));
  return pair(t, d_a, d_b);
}

/// Ties share the cotangent, as in NumPy-like libraries with symmetric rules (JAX, PyTorch).
Result choose(const Tangents& t, Op wins) {
  const Expr half = apply(Op::cast, {apply(Op::equal, {t.x[0], t.x[1]})}, Attrs().set("dtype", 0)) * 0.5;
  const Expr zero_ = zero(t), one{&t.graph, t.graph.scalar(1)};
  const Expr for_a = half + select(apply(wins, {t.x[0], t.x[1]}), one, zero_);
  const Expr for_b = half + select(apply(wins, {t.x[1], t.x[0]}), one, zero_);
  return pair(t, t.d_y * for_a, t.d_y * for_b);
}
Result grad_maximum(const Tangents& t) { return choose(t, Op::greater); }
Result grad_minimum(const Tangents& t) { return choose(t, Op::less); }

Result grad_where(const Tangents& t) {
  return {kNone, sum_to(select(t.x[0], t.d_y, zero(t)), t.x[1].shape()),
          sum_to(select(t.x[0], zero(t), t.d_y), t.x[2].shape())};
}

// ---- reductions ---------------------------------------------------------------------------------------------------

Result grad_sum(const Tangents& t) { return {stretch(t, t.d_y)}; }

/// Equal extremes share the cotangent.
Result grad_max(const Tangents& t) {
  const Expr hit = apply(Op::cast, {apply(Op::equal, {t.x[0], stretch(t, t.y)})}, Attrs().set("dtype", 0));
  const Expr count = apply(Op::sum, {hit}, t.node.attrs);
  return {hit * stretch(t, t.d_y / count)};
}

// ---- products and rows --------------------------------------------------------------------------------------------

Result grad_matmul(const Tangents& t) {
  const bool ta = t.node.attrs.flag("transposeA"), tb = t.node.attrs.flag("transposeB");
  const Expr a = t.x[0], b = t.x[1];
  return pair(t, ta ? matmul(b, t.d_y, tb, true) : matmul(t.d_y, b, false, !tb),
              tb ? matmul(t.d_y, a, true, ta) : matmul(a, t.d_y, !ta, false));
}

Expr sparse_product(const Tangents& t, Expr values, Expr b, int64_t columns, bool transpose) {
  const Attrs attrs = Attrs().set("columns", static_cast<double>(columns)).set("transposeA", transpose);
  return apply(Op::sparseMatmul, {t.x[0], t.x[1], values, b}, attrs);
}

/// Linear in the values and in b.
Result grad_sparse_matmul(const Tangents& t) {
  const bool transpose = t.node.attrs.flag("transposeA");
  const Expr a = transpose ? t.x[3] : t.d_y, b = transpose ? t.d_y : t.x[3];
  return {kNone, kNone, apply(Op::sparseMatmulGrad, {t.x[0], t.x[1], a, b}),
          sparse_product(t, t.x[2], t.d_y, t.node.attrs.integer("columns"), !transpose)};
}

Result grad_sparse_matmul_grad(const Tangents& t) {
  const int64_t columns = t.x[3].shape()[0];
  return {kNone, kNone, sparse_product(t, t.d_y, t.x[3], columns, false),
          sparse_product(t, t.d_y, t.x[2], columns, true)};
}

/// The same values are dropped, as with dropout.
Result grad_sparse_dropout(const Tangents& t) {
  return {kNone, kNone, apply(Op::sparseDropout, {t.x[0], t.x[1], t.d_y}, t.node.attrs)};
}

Result grad_softmax(const Tangents& t) { return {fused(Op::softmaxGrad, t.y, t)}; }
Result grad_log_softmax(const Tangents& t) { return {fused(Op::logSoftmaxGrad, t.y, t)}; }

Result grad_log_sum_exp(const Tangents& t) {
  const std::vector<int64_t> axes = t.node.attrs.ints("axes");
  if (axes.empty()) return {t.d_y};  // of a scalar: the identity
  return {stretch(t, t.d_y) * apply(Op::softmax, {t.x[0]}, Attrs().set("axis", static_cast<double>(axes[0])))};
}

Result grad_softmax_cross_entropy(const Tangents& t) {
  return {apply(Op::softmaxCrossEntropyGrad, {t.x[0], t.x[1], t.d_y}),
          -(column(t.d_y) * apply(Op::logSoftmax, {t.x[0]}, Attrs().set("axis", -1)))};
}

Result grad_sparse_softmax_cross_entropy(const Tangents& t) {
  return {apply(Op::sparseSoftmaxCrossEntropyGrad, {t.x[0], t.x[1], t.d_y}), kNone};
}

Result grad_recurrent(const Tangents& t) { return recurrent_gradients(t); }
Result grad_attention(const Tangents& t) { return attention_gradients(t); }
Result grad_normalization(const Tangents& t) { return normalization_gradients(t); }

// ---- convolution and pooling --------------------------------------------------------------------------------------

/// Attributes of a derivative: those of the op, and the spatial size of its result where it has one.
Attrs sized(const Attrs& from, std::vector<int64_t> size = {}) {
  Attrs attrs;
  if (!size.empty()) attrs.set("size", std::move(size));
  for (const auto& [name, value] : from.items())
    if (name != "size") value.is_list ? attrs.set(name.c_str(), value.ints) : attrs.set(name.c_str(), value.number);
  return attrs;
}

/// Of three that are linear in both operands, y = x ∗ w and what gives the gradients of either.
Expr conv_y(Expr x, Expr w, const Attrs& attrs) { return apply(Op::conv2d, {x, w}, sized(attrs)); }
Expr conv_x(Expr y, Expr w, const Attrs& attrs, const Shape& x) {
  return apply(Op::conv2dTranspose, {y, w}, sized(attrs, {x[1], x[2]}));
}
Expr conv_w(Expr x, Expr y, const Attrs& attrs, const Shape& w) {
  return apply(Op::conv2dFilterGrad, {x, y}, sized(attrs, {w[0], w[1]}));
}

Result grad_conv2d(const Tangents& t) {
  const Attrs& attrs = t.node.attrs;
  return {conv_x(t.d_y, t.x[1], attrs, t.x[0].shape()), conv_w(t.x[0], t.d_y, attrs, t.x[1].shape())};
}
Result grad_conv2d_transpose(const Tangents& t) {
  const Attrs& attrs = t.node.attrs;
  return {conv_y(t.d_y, t.x[1], attrs), conv_w(t.d_y, t.x[0], attrs, t.x[1].shape())};
}
Result grad_conv2d_filter(const Tangents& t) {
  const Attrs& attrs = t.node.attrs;
  return {conv_x(t.x[1], t.d_y, attrs, t.x[0].shape()), conv_y(t.x[0], t.d_y, attrs)};
}

/// Which element is largest does not change with x, almost everywhere.
Result grad_max_pool(const Tangents& t) { return {apply(Op::maxPool2dGrad, {t.x[0], t.d_y}, t.node.attrs)}; }
Result grad_max_pool_grad(const Tangents& t) {
  return {kNone, apply(Op::maxPool2dPick, {t.x[0], t.d_y}, t.node.attrs)};
}
Result grad_max_pool_pick(const Tangents& t) {
  return {kNone, apply(Op::maxPool2dGrad, {t.x[0], t.d_y}, t.node.attrs)};
}
Result grad_average_pool(const Tangents& t) {
  const Shape& x = t.x[0].shape();
  return {apply(Op::averagePool2dGrad, {t.d_y}, sized(t.node.attrs, {x[1], x[2]}))};
}
Result grad_average_pool_grad(const Tangents& t) { return {apply(Op::averagePool2d, {t.d_y}, sized(t.node.attrs))}; }

// ---- movement -----------------------------------------------------------------------------------------------------

Result grad_identity(const Tangents& t) { return {t.d_y}; }
Result grad_reshape(const Tangents& t) { return {reshape(t.d_y, t.x[0].shape().to_vector())}; }
Result grad_broadcast_to(const Tangents& t) { return {sum_to(t.d_y, t.x[0].shape())}; }

Result grad_transpose(const Tangents& t) {
  const std::vector<int64_t> order = t.node.attrs.ints("permutation");
  std::vector<int64_t> inverse(order.size());
  for (size_t i = 0; i < order.size(); ++i) inverse[order[i]] = static_cast<int64_t>(i);
  return {order.empty() ? t.d_y : apply(Op::transpose, {t.d_y}, Attrs().set("permutation", inverse))};
}

Result grad_concat(const Tangents& t) {
  const int64_t axis = t.node.attrs.integer("axis");
  std::vector<int64_t> begin(t.node.shape.rank(), 0);
  Result result;
  for (const Expr& x : t.x) {
    result.push_back(apply(Op::slice, {t.d_y}, Attrs().set("begin", begin).set("size", x.shape().to_vector())));
    begin[axis] += x.shape()[axis];
  }
  return result;
}

Result grad_slice(const Tangents& t) {
  const std::vector<int64_t> begin = t.node.attrs.ints("begin"), size = t.node.attrs.ints("size");
  std::vector<int64_t> after(begin.size());
  for (size_t i = 0; i < begin.size(); ++i) after[i] = t.x[0].shape()[static_cast<int>(i)] - begin[i] - size[i];
  return {apply(Op::pad, {t.d_y}, Attrs().set("before", begin).set("after", after))};
}

Result grad_pad(const Tangents& t) {
  return {apply(Op::slice, {t.d_y},
                Attrs().set("begin", t.node.attrs.ints("before")).set("size", t.x[0].shape().to_vector()))};
}

Result grad_gather(const Tangents& t) {
  const int64_t axis = t.node.attrs.integer("axis");
  const double size = static_cast<double>(t.x[0].shape()[static_cast<int>(axis)]);
  return {apply(Op::scatterAdd, {t.x[1], t.d_y}, Attrs().set("axis", static_cast<double>(axis)).set("size", size)),
          kNone};
}

Result grad_scatter_add(const Tangents& t) {
  return {kNone, apply(Op::gather, {t.d_y, t.x[0]}, Attrs().set("axis", t.node.attrs.number("axis")))};
}

Result grad_cast(const Tangents& t) {
  return {t.node.dtype == DType::float32 && t.x[0].node().dtype == DType::float32 ? t.d_y : kNone};
}

/// Linear, with the same factors: they depend on key, step and element alone.
Result grad_dropout(const Tangents& t) { return {apply(t.node.op, {t.d_y}, t.node.attrs)}; }

// ---- the two words of the table that are not rules ----------------------------------------------------------------

Result grad_none(const Tangents& t) { return Result(t.x.size(), kNone); }

/// Through the same value in primitive ops.
Result grad_expand(const Tangents& t) {
  std::vector<NodeId> wrt;
  for (const Expr& x : t.x) {
    bool repeated = x.node().dtype != DType::float32;
    for (NodeId id : wrt) repeated |= id == x.id;
    if (!repeated) wrt.push_back(x.id);
  }
  const std::vector<NodeId> found = gradients(t.graph, decompose(t.graph, t.y.id), wrt, t.d_y.id);
  Result result(t.x.size(), kNone);
  for (size_t i = 0, next = 0; i < t.x.size() && next < wrt.size(); ++i)
    if (t.x[i].id == wrt[next]) result[i] = {&t.graph, found[next++]};
  return result;
}

using Rule = Result (*)(const Tangents&);
constexpr Rule kRules[] = {
#define UNARY(name, functor, types, attributes, gradient) grad_##gradient,
#define BINARY(name, functor, types, attributes, gradient) grad_##gradient,
#define TERNARY(name, functor, types, attributes, gradient) grad_##gradient,
#define OP(name, arity, shape, attributes, gradient) grad_##gradient,
#define COMPOSITE(name, arity, attributes) grad_none,
#include "ops/ops.def"
};

}  // namespace

std::vector<Expr> apply_rule(const Tangents& t) { return kRules[static_cast<int>(t.node.op)](t); }

}  // namespace downhill
