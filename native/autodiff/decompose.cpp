// Fused gradient ops in terms of primitive ones, so that they can be differentiated again. Each line is the formula of
// the functor or kernel of the same name.
#include <cmath>

#include "autodiff/attention.h"
#include "autodiff/expressions.h"
#include "autodiff/gradients.h"
#include "autodiff/normalization.h"
#include "autodiff/recurrent.h"
#include "core/error.h"

namespace downhill {

namespace {

constexpr double kSeluAlpha = 1.6732632423543772848170429916717;
constexpr double kSeluScale = 1.0507009873554804934193349852946;

Expr f(Op op, Expr x) { return apply(op, {x}); }
Expr positive(Expr x, Expr a, Expr b) { return apply(Op::where, {apply(Op::greater, {x, number(x, 0)}), a, b}); }
/// exp(x) for x ≤ 0, bounded elsewhere.
Expr exp_below(Expr x) { return f(Op::exp, apply(Op::minimum, {x, number(x, 0)})); }
Expr sum_along(Expr x, int64_t axis) {
  return apply(Op::sum, {x}, Attrs().set("axes", std::vector<int64_t>{axis}).set("keepDims", 1));
}

Expr elu_grad(Expr x, Expr d_y, double alpha) { return positive(x, d_y, d_y * (exp_below(x) * alpha)); }

Expr gelu_grad(Expr x, Expr d_y, bool approximate) {
  if (!approximate) {
    const Expr cdf = (f(Op::erf, x * M_SQRT1_2) + 1.0) * 0.5;
    const Expr pdf = f(Op::exp, f(Op::square, x) * -0.5) * (M_2_SQRTPI * M_SQRT1_2 * 0.5);
    return d_y * (cdf + x * pdf);
  }
  const double c = M_2_SQRTPI * M_SQRT1_2, k = 0.044715;
  const Expr square = f(Op::square, x);
  const Expr tanh = f(Op::tanh, x * (square * k + 1.0) * c);
  const Expr slope = (square * (3 * k) + 1.0) * c;
  return d_y * ((tanh + 1.0) * 0.5 + x * (1.0 - f(Op::square, tanh)) * slope * 0.5);
}

Expr silu_grad(Expr x, Expr d_y) {
  const Expr s = f(Op::sigmoid, x);
  return d_y * (s * (x * (1.0 - s) + 1.0));
}

Expr softmax(Expr logits) { return apply(Op::softmax, {logits}, Attrs().set("axis", -1)); }

}  // namespace

NodeId decompose(Graph& graph, NodeId id) {
  const Node& node = graph[id];
  const auto in = [&](int i) { return Expr{&graph, node.inputs[i]}; };
  const auto build = [&]() -> Expr {
    switch (node.op) {
      case Op::reluGrad:
        return positive(in(0), in(1), number(in(0), 0));
      case Op::leakyReluGrad:
        return positive(in(0), in(1), in(1) * node.attrs.number("alpha"));
      case Op::eluGrad:
        return elu_grad(in(0), in(1), node.attrs.number("alpha"));
      case Op::seluGrad:
        return elu_grad(in(0), in(1), kSeluAlpha) * kSeluScale;
      case Op::geluGrad:
        return gelu_grad(in(0), in(1), node.attrs.flag("approximate"));
      case Op::siluGrad:
        return silu_grad(in(0), in(1));
      case Op::sigmoidGrad:
        return in(1) * (in(0) * (1.0 - in(0)));
      case Op::tanhGrad:
        return in(1) * (1.0 - f(Op::square, in(0)));
      case Op::softplusGrad:
        return in(1) * f(Op::sigmoid, in(0));
      case Op::softsignGrad:
        return in(1) / f(Op::square, f(Op::abs, in(0)) + 1.0);
      case Op::softmaxGrad:
        return in(0) * (in(1) - sum_along(in(1) * in(0), node.attrs.integer("axis")));
      case Op::logSoftmaxGrad:
        return in(1) - f(Op::exp, in(0)) * sum_along(in(1), node.attrs.integer("axis"));
      case Op::softmaxCrossEntropyGrad:
        return column(in(2)) * (softmax(in(0)) * sum_along(in(1), node.shape.rank() - 1) - in(1));
      case Op::sparseSoftmaxCrossEntropyGrad: {
        const double depth = static_cast<double>(node.shape[node.shape.rank() - 1]);
        return column(in(2)) * (softmax(in(0)) - apply(Op::oneHot, {in(1)}, Attrs().set("depth", depth)));
      }
      case Op::simpleRNNGrad:
      case Op::lstmGrad:
      case Op::gruGrad:
        return decompose_recurrent(graph, node);
      case Op::attentionGrad:
        return decompose_attention(graph, node);
      case Op::layerNormalizationGrad:
      case Op::rmsNormalizationGrad:
      case Op::layerNormalizationScaleGrad:
      case Op::rmsNormalizationScaleGrad:
        return decompose_normalization(graph, node);
      default:
        throw Error(code::kInternal, std::string("No decomposition of ") + name_of(node.op) + ".");
    }
  };
  return build().id;
}

}  // namespace downhill
