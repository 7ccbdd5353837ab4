// Formulas of scaled dot-product attention: one score, and its way back. Loops over keys are the backends'.
#pragma once
#include <cstdint>

#include "core/host_device.h"
#include "core/math.h"

namespace downhill::DH_ISA::attention {

/// The score of a key that a query does not see; no other is hidden.
inline constexpr float kHidden = -math::kInf;

/// A score with what the mask holds for it: nothing counts where a mask of int32 is 0, float32 is added.
DH_HOST_DEVICE float masked(float score, int32_t seen) { return math::select(seen != 0, score, kHidden); }
DH_HOST_DEVICE float masked(float score, float bias) { return score + bias; }

/// The order of time: how many keys a query sees, those in front; and the first query that sees a key.
DH_HOST_DEVICE int64_t causal_keys(int64_t query) { return query + 1; }
DH_HOST_DEVICE int64_t causal_query(int64_t key) { return key; }

/// What is subtracted before the exponential, from the largest score: where all are hidden, nothing.
DH_HOST_DEVICE float shift_of(float top) { return math::select(top == kHidden, 0.0f, top); }

DH_HOST_DEVICE float exponential(float score, float shift) { return math::exp(score - shift); }

/// The factor that makes probabilities of exponentials with that sum; a query that sees no key has the result 0.
DH_HOST_DEVICE float factor_of(float total) { return math::select(total == 0.0f, 0.0f, 1.0f / total); }

/// From what forward passes keep of a query. In one number, shift + log(total), large shifts would leave no digits of
/// the log.
DH_HOST_DEVICE float probability(float score, float shift, float factor) { return exponential(score, shift) * factor; }

/// Of a product q · k. d_p: of the probability p; delta = Σ d_y · y of the query's result.
DH_HOST_DEVICE float product_gradient(float p, float d_p, float delta, float scale) {
  return p * (d_p - delta) * scale;
}

}  // namespace downhill::DH_ISA::attention
