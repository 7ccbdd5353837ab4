// Adamax, Kingma and Ba 2014 (arXiv:1412.6980), algorithm 2. Slot 0: mean of gradients m. Slot 1: decayed maximum u.
#pragma once
#include <cmath>

#include "core/host_device.h"
#include "core/math.h"
#include "ops/binary.h"
#include "optim/rule.h"

namespace downhill::DH_ISA {

/// m ← m + (1 - β1)(g - m), u ← max(β2·u, |g|), p ← p - rate / (1 - β1ᵗ)·m / (u + ε) (Keras); PyTorch: u ← max(β2·u,
/// |g| + ε), and u alone divides.
struct Adamax {
  static constexpr int kSlots = 2;
  float rate, blend1, beta2, inside, outside;  // rate: corrected; inside, outside: of the maximum: ε

  static Adamax at(const Hyper& h, int64_t t) {
    const double rate = h.learning_rate / (1 - std::pow(h.beta1, static_cast<double>(t)));
    return {static_cast<float>(rate), static_cast<float>(1 - h.beta1), static_cast<float>(h.beta2),
            static_cast<float>(h.inner_epsilon), static_cast<float>(h.epsilon)};
  }
  DH_HOST_DEVICE float operator()(float g, float p, float (&slot)[kSlots]) const {
    slot[0] += blend1 * (g - slot[0]);
    slot[1] = Maximum()(beta2 * slot[1], math::abs(g) + inside);
    return p - rate * slot[0] / (slot[1] + outside);
  }
};

}  // namespace downhill::DH_ISA
