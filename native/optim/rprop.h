// Rprop, Riedmiller and Braun 1993 (ICNN), in PyTorch's form: Igel and Hüsken's Rprop- of 2000, whose weights do not go
// back. Slot 0: the gradient before. Slot 1: step size s, which begins at the learning rate. For full batches.
#pragma once
#include "core/host_device.h"
#include "core/math.h"
#include "ops/unary.h"
#include "optim/rule.h"

namespace downhill::DH_ISA {

/// Where g and the gradient before have one sign s ← min(s·η⁺, max); where they are opposed s ← max(s·η⁻, min) and
/// g ← 0, here and as the gradient before; p ← p - sign(g)·s.
struct Rprop {
  static constexpr int kSlots = 2;
  float shrink, grow, smallest, largest;

  static Rprop at(const Hyper& h, int64_t) {
    return {static_cast<float>(h.eta_minus), static_cast<float>(h.eta_plus), static_cast<float>(h.step_size_min),
            static_cast<float>(h.step_size_max)};
  }
  DH_HOST_DEVICE float operator()(float g, float p, float (&slot)[kSlots]) const {
    const float agreement = Sign()(g) * Sign()(slot[0]);  // a product of tiny gradients would be 0
    const float scaled = slot[1] * math::select(agreement > 0.0f, grow, math::select(agreement < 0.0f, shrink, 1.0f));
    const float low = math::select(scaled < smallest, smallest, scaled);
    slot[1] = math::select(low > largest, largest, low);
    slot[0] = math::select(agreement < 0.0f, 0.0f, g);
    return p - Sign()(slot[0]) * slot[1];
  }
};

}  // namespace downhill::DH_ISA
