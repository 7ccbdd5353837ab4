// Gradient descent, plain and with momentum. Slot 0: the velocity, in units of the parameter (Keras) or gradient
// (PyTorch).
#pragma once
#include "core/host_device.h"
#include "core/math.h"
#include "optim/rule.h"

namespace downhill::DH_ISA {

/// p ← p - rate·g. Robbins and Monro 1951; Goodfellow et al. 2016, algorithm 8.1.
struct Sgd {
  static constexpr int kSlots = 0;
  float rate;

  static Sgd at(const Hyper& h, int64_t) { return {static_cast<float>(h.learning_rate)}; }
  Rest rest() const { return Rest::always; }
  DH_HOST_DEVICE float operator()(float g, float p, float*) const { return p - rate * g; }
};

/// v ← momentum·v - rate·g, p ← p + v. Polyak 1964; Goodfellow et al. 2016, algorithm 8.2; Keras `SGD(momentum)`.
struct Momentum {
  static constexpr int kSlots = 1;
  float rate, momentum;

  static Momentum at(const Hyper& h, int64_t) {
    return {static_cast<float>(h.learning_rate), static_cast<float>(h.momentum)};
  }
  DH_HOST_DEVICE float operator()(float g, float p, float (&slot)[kSlots]) const {
    slot[0] = momentum * slot[0] - rate * g;
    return p + slot[0];
  }
};

/// v ← momentum·v - rate·g, p ← p + momentum·v - rate·g: Nesterov 1983 as Sutskever et al. 2013 rewrite it, in the
/// variables p = θ + momentum·v of Keras `SGD(nesterov)`, so that the gradient is taken where the parameters are.
struct Nesterov {
  static constexpr int kSlots = 1;
  float rate, momentum;

  static Nesterov at(const Hyper& h, int64_t) {
    return {static_cast<float>(h.learning_rate), static_cast<float>(h.momentum)};
  }
  DH_HOST_DEVICE float operator()(float g, float p, float (&slot)[kSlots]) const {
    const float step = rate * g;
    slot[0] = momentum * slot[0] - step;
    return p + (momentum * slot[0] - step);
  }
};

/// b ← momentum·b + (1 - dampening)·g, where it has seen no gradient b ← g. Such a velocity is -0; others are never.
DH_HOST_DEVICE float dampened(float b, float g, float momentum, float take) {
  const bool first = math::bits_of(b) == 0x80000000u;
  return math::select(first, g, momentum * b + take * g) + 0.0f;  // -0 + 0 is 0
}

/// b as above; p ← p - rate·b. PyTorch `SGD(momentum, dampening)`. The slot begins at -0.
struct TorchMomentum {
  static constexpr int kSlots = 1;
  float rate, momentum, take;

  static TorchMomentum at(const Hyper& h, int64_t) {
    return {static_cast<float>(h.learning_rate), static_cast<float>(h.momentum), static_cast<float>(1 - h.dampening)};
  }
  DH_HOST_DEVICE float operator()(float g, float p, float (&slot)[kSlots]) const {
    slot[0] = dampened(slot[0], g, momentum, take);
    return p - rate * slot[0];
  }
};

/// b as in TorchMomentum; p ← p - rate·(g + momentum·b). PyTorch `SGD(momentum, nesterov=True)`. The slot begins at -0.
struct TorchNesterov {
  static constexpr int kSlots = 1;
  TorchMomentum velocity;

  static TorchNesterov at(const Hyper& h, int64_t t) { return {TorchMomentum::at(h, t)}; }
  DH_HOST_DEVICE float operator()(float g, float p, float (&slot)[kSlots]) const {
    slot[0] = dampened(slot[0], g, velocity.momentum, velocity.take);
    return p - velocity.rate * (g + velocity.momentum * slot[0]);
  }
};

}  // namespace downhill::DH_ISA
