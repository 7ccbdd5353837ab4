// RMSprop, Tieleman and Hinton 2012 (lecture 6.5 of "Neural networks for machine learning"). Slot 0: mean of squares v.
// Then the velocity m, where there is one, and the mean of gradients a, where it is centered.
#pragma once
#include "core/host_device.h"
#include "core/math.h"
#include "optim/rule.h"

namespace downhill::DH_ISA {

enum class Velocity : uint8_t { none, plain, nesterov };

/// v ← ρv + (1 - ρ)g², d = √(v + ε) (Keras; Goodfellow et al. 2016, algorithm 8.5) or √v + ε (PyTorch), s = g / d, 0
/// where d is 0; p ← p - rate·s. Centered, Graves 2013 (arXiv:1308.0850): v - a² in place of v, a ← ρa + (1 - ρ)g, at
/// least 0 against rounding. With momentum: m ← momentum·m + rate·s, p ← p - m; PyTorch: m ← momentum·m + s, p ← p -
/// rate·m. Nesterov, algorithm 8.6 in the variables of sgd.h: p ← p - momentum·m - rate·s.
template <Velocity kVelocity, bool kCentered>
struct RmsProp {
  static constexpr int kSlots = 1 + (kVelocity != Velocity::none) + kCentered;
  float within, after, momentum, keep, take, inside,
      outside;  // within, after: of the rate and 1; inside, outside: of ε

  static RmsProp at(const Hyper& h, int64_t) {
    const auto rate = static_cast<float>(h.learning_rate);
    const bool outer = h.rate_outside != 0;
    return {outer ? 1.0F : rate,          outer ? rate : 1.0F,           static_cast<float>(h.momentum),
            static_cast<float>(h.rho),    static_cast<float>(1 - h.rho), static_cast<float>(h.inner_epsilon),
            static_cast<float>(h.epsilon)};
  }
  DH_HOST_DEVICE float operator()(float g, float p, float (&slot)[kSlots]) const {
    slot[0] = keep * slot[0] + take * (g * g);
    float square = slot[0];
    if constexpr (kCentered) {
      float& mean = slot[kSlots - 1];
      mean = keep * mean + take * g;
      const float variance = square - mean * mean;
      square = variance < 0.0f ? 0.0f : variance;
    }
    const float root = math::sqrt(square + inside) + outside;
    const float step = math::select(root == 0.0f, 0.0f, within * g / root);
    if constexpr (kVelocity == Velocity::none) return p - after * step;
    slot[kVelocity != Velocity::none] = momentum * slot[kVelocity != Velocity::none] + step;
    const float m = slot[kVelocity != Velocity::none];
    return p - after * (kVelocity == Velocity::nesterov ? momentum * m + step : m);
  }
};

using RmsPropPlain = RmsProp<Velocity::none, false>;
using RmsPropMomentum = RmsProp<Velocity::plain, false>;
using RmsPropNesterov = RmsProp<Velocity::nesterov, false>;
using RmsPropCentered = RmsProp<Velocity::none, true>;
using RmsPropCenteredMomentum = RmsProp<Velocity::plain, true>;

}  // namespace downhill::DH_ISA
