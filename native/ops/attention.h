// Formulas of scaled dot-product attention: one score, and its way back. Loops over keys are the backends'.
#pragma once
#include <cstdint>

#include "core/host_device.h"
#include "core/math.h"

namespace downhill::DH_ISA::attention {

/// What hides a key from a query.
inline constexpr float kHidden = -math::kInf;

DH_HOST_DEVICE bool is_after(int64_t query, int64_t key) { return key > query; }

/// A score with what the mask holds for it: nothing counts where a mask of int32 is 0, float32 is added.
DH_HOST_DEVICE float masked(float score, int32_t seen) { return math::select(seen != 0, score, kHidden); }
DH_HOST_DEVICE float masked(float score, float bias) { return score + bias; }

/// What is subtracted before the exponential, from the largest score: where all are hidden, nothing.
DH_HOST_DEVICE float shift_of(float top) { return math::select(top == kHidden, 0.0f, top); }

/// The factor that makes probabilities of exponentials with that sum; a query that sees no key has the result 0.
DH_HOST_DEVICE float scale_of(float total) { return math::select(total == 0.0f, 0.0f, 1.0f / total); }

/// log Σ exp of a query's scores, which the way back begins with; without a key to see 0.
DH_HOST_DEVICE float log_sum_exp(float shift, float total) {
  return math::select(total == 0.0f, 0.0f, shift + math::log(total));
}

DH_HOST_DEVICE float probability(float score, float log_sum) { return math::exp(score - log_sum); }

/// Of a product q · k. d_p: of the probability p; delta = Σ d_y · y of the query's result - d(log_sum_exp)
DH_HOST_DEVICE float product_gradient(float p, float d_p, float delta, float scale) {
  return p * (d_p - delta) * scale;
}

}  // namespace downhill::DH_ISA::attention
