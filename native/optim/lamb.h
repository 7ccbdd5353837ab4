// LAMB, You et al. 2020 (arXiv:1904.00962), algorithm 2. Slot 0: mean of gradients m. Slot 1: mean of their squares v.
#pragma once
#include <cmath>

#include "core/host_device.h"
#include "core/math.h"
#include "optim/adam.h"
#include "optim/rule.h"

namespace downhill::DH_ISA {

/// m and v as in Adam, u = m/(1 - β1ᵗ) / (√(v/(1 - β2ᵗ)) + ε) + λ·p; p ← p - rate·‖p‖/‖u‖·u, the ratio 1 where a norm
/// is 0. Keras `Lamb` has λ = 0: its decay is decoupled.
template <bool kDecayed>
struct LambOf {
  static constexpr int kSlots = 2;
  float rate, blend1, blend2, correction1, correction2, epsilon, decay;  // blend: 1 - β; correction: 1 - βᵗ

  static LambOf at(const Hyper& h, int64_t t) {
    const auto steps = static_cast<double>(t);
    return {static_cast<float>(h.learning_rate),
            static_cast<float>(1 - h.beta1),
            static_cast<float>(1 - h.beta2),
            static_cast<float>(1 - std::pow(h.beta1, steps)),
            static_cast<float>(1 - std::pow(h.beta2, steps)),
            static_cast<float>(h.epsilon),
            static_cast<float>(kDecayed ? h.weight_decay : 0)};
  }
  DH_HOST_DEVICE float measured(float g, float p, float (&slot)[kSlots]) const {
    adam_means(g, blend1, blend2, slot[0], slot[1]);
    const float u = slot[0] / correction1 / (math::sqrt(slot[1] / correction2) + epsilon);
    return kDecayed ? u + decay * p : u;
  }
  DH_HOST_DEVICE double trust(double p_norm, double u_norm) const {
    return p_norm > 0 && u_norm > 0 ? p_norm / u_norm : 1;
  }
  DH_HOST_DEVICE float operator()(float g, float p, float (&slot)[kSlots], float trust) const {
    return p - trust * rate * measured(g, p, slot);
  }
};

using Lamb = LambOf<false>;
struct DecayedLamb : LambOf<true> {
  static constexpr bool kOwnDecay = true;
  static DecayedLamb at(const Hyper& h, int64_t t) { return {LambOf::at(h, t)}; }
};

}  // namespace downhill::DH_ISA
