// Formulas of softmax and its relatives: what becomes of one element x of a row, given the row's largest element `top`
// and sums over the row. Subtracting the largest keeps the exponentials from overflowing.
#pragma once
#include "core/math.h"

namespace downhill::DH_ISA::row {

/// What the others are made from: total = Σ shifted_exp, log_total = log total.
DH_HOST_DEVICE float shifted_exp(float x, float top) { return math::exp(x - top); }

DH_HOST_DEVICE float log_softmax(float x, float top, float log_total) { return (x - top) - log_total; }

/// A row of -inf alone gives -inf.
DH_HOST_DEVICE float log_sum_exp(float top, float log_total) {
  return math::abs(top) == math::kInf ? top : top + log_total;
}

/// d_x of softmax from its result y; dot = Σ y · d_y
DH_HOST_DEVICE float softmax_grad(float y, float d_y, float dot) { return y * (d_y - dot); }

/// d_x of log_softmax from its result y; total = Σ d_y
DH_HOST_DEVICE float log_softmax_grad(float y, float d_y, float total) { return d_y - math::exp(y) * total; }

/// -Σ t log softmax(x) = weight · log_total - Σ cross_entropy_term, weight = Σ t. A target of 0 counts nothing,
/// whatever the logit.
DH_HOST_DEVICE float cross_entropy_term(float x, float t, float top) {
  const float term = t * (x - top);
  return t == 0.0f ? 0.0f : term;
}
DH_HOST_DEVICE float cross_entropy(float weight, float log_total, float terms) { return weight * log_total - terms; }

/// d_x = d_y · (softmax(x) · weight - t), from e = shifted_exp and scale = weight / total. For labels t is 1 at the
/// label, 0 elsewhere.
DH_HOST_DEVICE float cross_entropy_grad(float e, float scale, float t, float d_y) { return d_y * (e * scale - t); }

/// -log softmax(x) at the label
DH_HOST_DEVICE float sparse_cross_entropy(float x_label, float top, float log_total) {
  return log_total - (x_label - top);
}

}  // namespace downhill::DH_ISA::row
