// Adadelta, Zeiler 2012 (arXiv:1212.5701), algorithm 1. Slot 0: mean of squares v. Slot 1: mean of squared steps u.
#pragma once
#include "core/host_device.h"
#include "core/math.h"
#include "optim/rule.h"

namespace downhill::DH_ISA {

/// v ← ρv + (1 - ρ)g², s = g·√(u + ε) / √(v + ε), u ← ρu + (1 - ρ)s², p ← p - rate·s. Keras and PyTorch alike.
struct Adadelta {
  static constexpr int kSlots = 2;
  float rate, keep, take, epsilon;

  static Adadelta at(const Hyper& h, int64_t) {
    return {static_cast<float>(h.learning_rate), static_cast<float>(h.rho), static_cast<float>(1 - h.rho),
            static_cast<float>(h.epsilon)};
  }
  DH_HOST_DEVICE float operator()(float g, float p, float (&slot)[kSlots]) const {
    slot[0] = keep * slot[0] + take * (g * g);
    const float step = math::sqrt(slot[1] + epsilon) / math::sqrt(slot[0] + epsilon) * g;
    slot[1] = keep * slot[1] + take * (step * step);
    return p - rate * step;
  }
};

}  // namespace downhill::DH_ISA
