#include "autodiff/normalization.h"

#include <algorithm>

#include "graph/normalization.h"

namespace downhill {

namespace {

Expr row_mean(Expr x) {
  const int64_t axis = x.shape().rank() - 1, n = x.shape()[static_cast<int>(axis)];
  const Expr sum = apply(Op::sum, {x}, Attrs().set("axes", std::vector<int64_t>{axis}).set("keepDims", 1));
  return sum / static_cast<double>(std::max<int64_t>(n, 1));
}

}  // namespace

std::vector<Expr> normalization_gradients(const Tangents& t) {
  const Node& node = t.node;
  const bool rms = is_rms_normalization(node.op);
  const NormalizationOperands operands = normalization_operands(node.op, node.attrs);
  const Expr x = t.x[0], d_y = t.d_y;
  const Attrs epsilon = Attrs().set("epsilon", node.attrs.number("epsilon"));
  const Op of_x = rms ? Op::rmsNormalizationGrad : Op::layerNormalizationGrad,
           of_scale = rms ? Op::rmsNormalizationScaleGrad : Op::layerNormalizationScaleGrad;
  std::vector<Expr> result(t.x.size());
  if (operands.gamma < 0) {
    result[0] = apply(of_x, {x, d_y}, epsilon);
  } else {
    const auto gamma = static_cast<size_t>(operands.gamma);
    result[0] = apply(of_x, {x, d_y, t.x[gamma]}, Attrs(epsilon).set("scale", 1));
    result[gamma] = apply(of_scale, {x, d_y}, epsilon);
  }
  if (operands.beta >= 0) {
    const auto beta = static_cast<size_t>(operands.beta);
    result[beta] = sum_to(d_y, t.x[beta].shape());
  }
  return result;
}

Expr decompose_normalization(Graph& graph, const Node& node) {
  const auto in = [&](int i) { return Expr{&graph, node.inputs[static_cast<size_t>(i)]}; };
  const bool rms = is_rms_normalization(node.op);
  const Expr x = in(0), d_y = in(1), centered = rms ? x : x - row_mean(x);
  const Expr mean_square = row_mean(apply(Op::square, {centered}));
  const Expr inverse = apply(Op::rsqrt, {mean_square + node.attrs.number("epsilon")}), normalized = centered * inverse;
  if (is_scale_gradient(node.op)) return sum_to(d_y * normalized, node.shape);
  const int gamma = normalization_operands(node.op, node.attrs).gamma;
  const Expr d = gamma < 0 ? d_y : d_y * in(gamma), along = normalized * row_mean(d * normalized);
  return (rms ? d - along : d - row_mean(d) - along) * inverse;
}

}  // namespace downhill
