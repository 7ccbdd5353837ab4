// What an update does to one element of a parameter around the rule, and the factors that come from norms;
// optim/update_plan.h has the whole.
#pragma once
#include <type_traits>

#include "core/math.h"

namespace downhill::DH_ISA {

/// Whether a rule needs norms of each variable: it has `measured(g, p, slots)`, what the norm of is taken beside that
/// of p, `trust(‖p‖, ‖measured‖)`, and its call takes what trust gave.
template <typename Functor, typename = void>
inline constexpr bool kUsesNorms = false;
template <typename Functor>
inline constexpr bool kUsesNorms<Functor, std::void_t<decltype(&Functor::trust)>> = true;

/// Whether a rule decays the weights itself (`kOwnDecay`), so that nothing else does.
template <typename Functor, typename = void>
inline constexpr bool kDecaysItself = false;
template <typename Functor>
inline constexpr bool kDecaysItself<Functor, std::void_t<decltype(Functor::kOwnDecay)>> = true;

/// Whether a rule says what a gradient of 0 does: `rest()` (rule.h).
template <typename Functor, typename = void>
inline constexpr bool kMayRest = false;
template <typename Functor>
inline constexpr bool kMayRest<Functor, std::void_t<decltype(&Functor::rest)>> = true;

/// scale: of what was accumulated to its mean, and of the loss back; clip: by norm (their product could be denormal
/// where the scale of a loss is large); limit: clipping by value, inf: none; l2: coupled decay; decay: decoupled decay,
/// times the rate; trust: of a rule with norms.
struct ElementStep {
  float scale, clip, limit, l2, decay;
  float trust = 1;
};

/// Value of ElementStep::limit for clip_value, where 0 means none.
DH_HOST_DEVICE float limit_of(float clip_value) { return clip_value > 0.0f ? clip_value : math::kInf; }

/// The gradient as the rule sees it.
DH_HOST_DEVICE float rule_gradient(const ElementStep& step, float g, float p) {
  float gradient = g * step.scale * step.clip;
  gradient = gradient > step.limit ? step.limit : gradient;
  gradient = gradient < -step.limit ? -step.limit : gradient;
  return gradient + step.l2 * p;
}

/// The new value of p; slots change in place. NaN in g stays NaN.
template <typename Functor, int kSlots>
DH_HOST_DEVICE float update_element(const Functor& rule, const ElementStep& step, float g, float p,
                                    float (&slot)[kSlots]) {
  const float gradient = rule_gradient(step, g, p), decayed = p - step.decay * p;
  if constexpr (kUsesNorms<Functor>)
    return rule(gradient, decayed, slot, step.trust);
  else
    return rule(gradient, decayed, slot);
}

/// What a rule with norms measures of one element: p as the rule sees it, and `measured`. The slots are copies.
template <typename Functor, int kSlots>
DH_HOST_DEVICE void measure_element(const Functor& rule, const ElementStep& step, float g, float& p, float& measured,
                                    float (&slot)[kSlots]) {
  const float gradient = rule_gradient(step, g, p);
  p -= step.decay * p;
  measured = rule.measured(gradient, p, slot);
}

/// The moving average e after an update to p.
DH_HOST_DEVICE float moving_average(float keep, float take, float e, float p) { return keep * e + take * p; }

/// limit / max(norm, limit); 1 without a limit or when the norm is NaN, which the gradient then holds anyway.
DH_HOST_DEVICE double clip_factor(double norm, double limit) { return limit > 0 && norm > limit ? limit / norm : 1; }

/// Adaptive clipping of one unit's gradient to clip · max(‖p‖, epsilon), Brock et al. 2021 (arXiv:2102.06171),
/// equation 3.
DH_HOST_DEVICE float unit_factor(double p_norm, double g_norm, double clip, double epsilon) {
  const double limit = clip * (p_norm > epsilon ? p_norm : epsilon);
  constexpr double kLeast = 1e-6;  // of ‖g‖, as optax
  return clip > 0 && g_norm > limit ? static_cast<float>(limit / (g_norm > kLeast ? g_norm : kLeast)) : 1.0f;
}

/// The factor of gradients of the loss times `scale`.
DH_HOST_DEVICE float unscaled(float factor, float scale) {
  return static_cast<float>(static_cast<double>(factor) / static_cast<double>(scale));
}

/// The loss scale after an update: half where a gradient was not finite, twice after growth_steps finite ones in a row.
/// Keras `LossScaleOptimizer`; here the scale and what undoes it stay normal numbers.
DH_HOST_DEVICE void next_loss_scale(bool finite, int64_t growth_steps, float& scale, int32_t& finite_steps) {
  constexpr float kMost = 0x1p100f, kLeast = 0x1p-126f;
  if (!finite && scale > 2 * kLeast) scale *= 0.5f;
  finite_steps = finite ? finite_steps + 1 : 0;
  if (finite_steps < growth_steps) return;
  finite_steps = 0;
  if (scale < kMost) scale *= 2.0f;
}

}  // namespace downhill::DH_ISA
