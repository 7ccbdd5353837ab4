// Delta-bar-delta, Jacobs 1988 ("Increased rates of convergence through learning rate adaptation", Neural Networks 1).
// Slot 0: rate r, which begins at the learning rate. Slot 1: mean of gradients d. For full batches.
#pragma once
#include "core/host_device.h"
#include "core/math.h"
#include "ops/unary.h"
#include "optim/rule.h"

namespace downhill::DH_ISA {

/// Where g and d have one sign r ← r + κ, where they are opposed r ← r·(1 - φ); p ← p - r·g; d ← (1 - θ)g + θd.
struct DeltaBarDelta {
  static constexpr int kSlots = 2;
  float add, factor, keep, take;  // κ, 1 - φ, θ, 1 - θ

  static DeltaBarDelta at(const Hyper& h, int64_t) {
    return {static_cast<float>(h.kappa), static_cast<float>(1 - h.phi), static_cast<float>(h.theta),
            static_cast<float>(1 - h.theta)};
  }
  DH_HOST_DEVICE float operator()(float g, float p, float (&slot)[kSlots]) const {
    const float agreement = Sign()(g) * Sign()(slot[1]);
    const float grown = slot[0] + add, shrunk = slot[0] * factor;
    slot[0] = math::select(agreement > 0.0f, grown, math::select(agreement < 0.0f, shrunk, slot[0]));
    slot[1] = take * g + keep * slot[1];
    return p - slot[0] * g;
  }
};

}  // namespace downhill::DH_ISA
