// What an update does to one element of a parameter around the rule; optim/update_plan.h has the whole.
#pragma once
#include "core/math.h"

namespace downhill::DH_ISA {

/// factor: clipping by norm and the mean of what was accumulated; limit: clipping by value, inf: none; l2: coupled
/// decay; decay: decoupled decay, times the rate.
struct ElementStep {
  float factor, limit, l2, decay;
};

/// Value of ElementStep::limit for clip_value, where 0 means none.
DH_HOST_DEVICE float limit_of(float clip_value) { return clip_value > 0.0f ? clip_value : math::kInf; }

/// The new value of p; slots change in place. NaN in g stays NaN.
template <typename Functor, int kSlots>
DH_HOST_DEVICE float update_element(const Functor& rule, const ElementStep& step, float g, float p,
                                    float (&slot)[kSlots]) {
  float gradient = g * step.factor;
  gradient = gradient > step.limit ? step.limit : gradient;
  gradient = gradient < -step.limit ? -step.limit : gradient;
  gradient += step.l2 * p;
  return rule(gradient, p - step.decay * p, slot);
}

/// The moving average e after an update to p.
DH_HOST_DEVICE float moving_average(float keep, float take, float e, float p) { return keep * e + take * p; }

}  // namespace downhill::DH_ISA
