// Operands and sizes of the normalization ops, for shape rules, planning and backends.
#pragma once
#include "graph/graph.h"

namespace downhill {

inline bool is_rms_normalization(Op op) {
  return op == Op::rmsNormalization || op == Op::rmsNormalizationGrad || op == Op::rmsNormalizationScaleGrad;
}
/// → of x
inline bool is_normalization_gradient(Op op) {
  return op == Op::layerNormalizationGrad || op == Op::rmsNormalizationGrad;
}
/// → of gamma
inline bool is_scale_gradient(Op op) {
  return op == Op::layerNormalizationScaleGrad || op == Op::rmsNormalizationScaleGrad;
}
inline bool is_normalization(Op op) {
  return op == Op::layerNormalization || op == Op::rmsNormalization || is_normalization_gradient(op) ||
         is_scale_gradient(op);
}

/// Which operand is what; -1: none. Forward: (x [, gamma] [, beta]); gradients: (x, d_y [, gamma]).
struct NormalizationOperands {
  int gamma = -1, beta = -1;
  size_t count = 1;
};
inline NormalizationOperands normalization_operands(Op op, const Attrs& attrs) {
  NormalizationOperands operands;
  const bool forward = !is_normalization_gradient(op) && !is_scale_gradient(op);
  operands.count = forward ? 1 : 2;
  if (attrs.flag("scale")) operands.gamma = static_cast<int>(operands.count++);
  if (forward && attrs.flag("center")) operands.beta = static_cast<int>(operands.count++);
  return operands;
}

/// Of x (rows, n).
struct NormalizationSizes {
  int64_t rows, n;
};
inline NormalizationSizes normalization_sizes(const Shape& x) {
  NormalizationSizes sizes{1, x[x.rank() - 1]};
  for (int axis = 0; axis + 1 < x.rank(); ++axis) sizes.rows *= x[axis];
  return sizes;
}

}  // namespace downhill
