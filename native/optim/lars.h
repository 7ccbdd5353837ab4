// LARS, You, Gitman and Ginsburg 2017 (arXiv:1708.03888), algorithm 1. Slot 0: the velocity, in units of the parameter
// (Lars) or gradient (TorchLars).
#pragma once
#include "core/host_device.h"
#include "optim/rule.h"

namespace downhill::DH_ISA {

/// s = λ·(g + β·p) with λ = η·‖p‖ / (‖g‖ + β·‖p‖ + ε), 1 where ‖p‖ or ‖g‖ is 0; v ← momentum·v + rate·s;
/// p ← p - v, or p - (momentum·v + rate·s) with Nesterov's momentum. kOutside: v ← momentum·v + s, p ← p - rate·(…).
template <bool kOutside>
struct LarsOf {
  static constexpr int kSlots = 1;
  static constexpr bool kOwnDecay = true;
  float rate, momentum, decay, nesterov;  // nesterov: 0 or 1
  double coefficient, epsilon;            // η, ε

  static LarsOf at(const Hyper& h, int64_t) {
    return {static_cast<float>(h.learning_rate),
            static_cast<float>(h.momentum),
            static_cast<float>(h.weight_decay),
            h.nesterov != 0 ? 1.0F : 0.0F,
            h.trust_coefficient,
            h.epsilon};
  }
  DH_HOST_DEVICE float measured(float g, float, float (&)[kSlots]) const { return g; }
  DH_HOST_DEVICE double trust(double p_norm, double g_norm) const {
    return p_norm > 0 && g_norm > 0 ? coefficient * p_norm / (g_norm + static_cast<double>(decay) * p_norm + epsilon)
                                    : 1;
  }
  DH_HOST_DEVICE float operator()(float g, float p, float (&slot)[kSlots], float trust) const {
    const float s = (kOutside ? 1.0f : rate) * (trust * (g + decay * p));
    slot[0] = momentum * slot[0] + s;
    const float step = nesterov != 0.0f ? momentum * slot[0] + s : slot[0];
    return p - (kOutside ? rate : 1.0f) * step;
  }
};

using Lars = LarsOf<false>;
using TorchLars = LarsOf<true>;

}  // namespace downhill::DH_ISA
