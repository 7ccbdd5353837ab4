// FTRL-Proximal, McMahan et al. 2013 ("Ad click prediction: a view from the trenches"), algorithm 1. Slot 0: sum of
// squares n, which begins at a value of the user's. Slot 1: z.
#pragma once
#include "core/host_device.h"
#include "core/math.h"
#include "optim/rule.h"

namespace downhill::DH_ISA {

/// n' = n + g², σ = (n'^-power - n^-power) / rate, z ← z + g + 2·shrinkage·p - σ·p,
/// p ← (clip(z, ±l1) - z) / (n'^-power / rate + 2·l2 + beta / rate), n ← n'. Keras `Ftrl`. Nothing moves at a rate of
/// 0. kRoot: the power is -½.
template <bool kRoot>
struct FtrlRule {
  static constexpr int kSlots = 2;
  float inverse, power, l1, quadratic, shrinkage;  // inverse: 1 / rate, 0: none; power: -power; quadratic: 2·l2 + …

  static FtrlRule at(const Hyper& h, int64_t) {
    const double inverse = h.learning_rate > 0 ? 1 / h.learning_rate : 0;
    return {static_cast<float>(inverse), static_cast<float>(-h.learning_rate_power), static_cast<float>(h.l1),
            static_cast<float>(2 * h.l2 + h.beta * inverse), static_cast<float>(2 * h.shrinkage)};
  }
  /// p follows from n, z and the rate alone.
  Rest rest() const { return shrinkage == 0 ? Rest::same_numbers : Rest::never; }
  DH_HOST_DEVICE float raised(float n) const { return kRoot ? math::sqrt(n) : math::pow_of_positive(n, power); }
  DH_HOST_DEVICE float operator()(float g, float p, float (&slot)[kSlots]) const {
    const bool moves = inverse > 0.0f;
    const float n = slot[0] + g * g, root = raised(n);
    const float z = slot[1] + (g + shrinkage * p - (root - raised(slot[0])) * inverse * p);
    const float above = math::select(z > l1, l1, z), clipped = math::select(above < -l1, -l1, above);
    const float next = (clipped - z) / (root * inverse + quadratic);
    slot[0] = math::select(moves, n, slot[0]);
    slot[1] = math::select(moves, z, slot[1]);
    return math::select(moves, next, p);
  }
};

using Ftrl = FtrlRule<true>;
using FtrlPower = FtrlRule<false>;

}  // namespace downhill::DH_ISA
