// Nadam, Dozat 2016 (ICLR workshop, "Incorporating Nesterov momentum into Adam"). Slots: m and v as in adam.h.
#pragma once
#include <cmath>

#include "core/host_device.h"
#include "core/math.h"
#include "optim/adam.h"
#include "optim/rule.h"

namespace downhill::DH_ISA {

/// μᵢ = β1(1 - ½·0.96^(i·decay)): decay is 1 in Keras, momentumDecay in PyTorch. Πₜ = μ1·…·μₜ. m and v as in Adam;
/// p ← p - rate·(μₜ₊₁·m / (1 - Πₜ₊₁) + (1 - μₜ)·g / (1 - Πₜ)) / (√(v / (1 - β2ᵗ)) + ε).
struct Nadam {
  static constexpr int kSlots = 2;
  float of_mean, of_gradient, blend1, blend2, scale, epsilon;  // the rate times …; scale: 1 / √(1 - β2ᵗ)

  static double mu(const Hyper& h, double i) {
    return h.beta1 * (1 - 0.5 * std::exp(i * h.momentum_decay * std::log(0.96)));
  }
  /// Πₜ without a loop over t, so that a resumed run has the same: log Πₜ = t·log β1 + Σᵢ log(1 - qⁱ/2), q =
  /// 0.96^decay, and with the logarithm's series Σᵢ log(1 - qⁱ/2) = -Σₖ 2⁻ᵏ/k·(qᵏ + q²ᵏ + … + qᵗᵏ), a geometric sum.
  static double product(const Hyper& h, double t) {
    const double log_q = h.momentum_decay * std::log(0.96);
    double sum = t * std::log(h.beta1), half = 1;
    for (int k = 1; k <= 56; ++k) {
      half *= 0.5;
      const double step = k * log_q;
      sum -= half / k * (step == 0 ? t : std::exp(step) * std::expm1(t * step) / std::expm1(step));
    }
    return std::exp(sum);
  }
  static Nadam at(const Hyper& h, int64_t t) {
    const auto steps = static_cast<double>(t);
    const double now = product(h, steps), next = mu(h, steps + 1);
    return {static_cast<float>(h.learning_rate * next / (1 - now * next)),
            static_cast<float>(h.learning_rate * (1 - mu(h, steps)) / (1 - now)),
            static_cast<float>(1 - h.beta1),
            static_cast<float>(1 - h.beta2),
            static_cast<float>(1 / std::sqrt(1 - std::pow(h.beta2, steps))),
            static_cast<float>(h.epsilon)};
  }
  DH_HOST_DEVICE float operator()(float g, float p, float (&slot)[kSlots]) const {
    adam_means(g, blend1, blend2, slot[0], slot[1]);
    return p - (of_mean * slot[0] + of_gradient * g) / (math::sqrt(slot[1]) * scale + epsilon);
  }
};

}  // namespace downhill::DH_ISA
