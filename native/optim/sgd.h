// Gradient descent, plain and with momentum. Slot 0: the velocity, in units of the parameter (Keras) or gradient
// (PyTorch).
#pragma once
#include "core/host_device.h"
#include "optim/rule.h"

namespace downhill::DH_ISA {

/// p ← p - rate·g. Robbins and Monro 1951; Goodfellow et al. 2016, algorithm 8.1.
struct Sgd {
  static constexpr int kSlots = 0;
  float rate;

  static Sgd at(const Hyper& h, int64_t) { return {static_cast<float>(h.learning_rate)}; }
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

/// b ← momentum·b + (1 - dampening)·g, at the first step b ← g; p ← p - rate·b. PyTorch `SGD(momentum, dampening)`.
struct TorchMomentum {
  static constexpr int kSlots = 1;
  float rate, keep, take;

  static TorchMomentum at(const Hyper& h, int64_t t) {
    return {static_cast<float>(h.learning_rate), t == 1 ? 0.0F : static_cast<float>(h.momentum),
            t == 1 ? 1.0F : static_cast<float>(1 - h.dampening)};
  }
  DH_HOST_DEVICE float operator()(float g, float p, float (&slot)[kSlots]) const {
    slot[0] = keep * slot[0] + take * g;
    return p - rate * slot[0];
  }
};

/// b as in TorchMomentum; p ← p - rate·(g + momentum·b). PyTorch `SGD(momentum, nesterov=True)`.
struct TorchNesterov {
  static constexpr int kSlots = 1;
  float rate, momentum, keep, take;

  static TorchNesterov at(const Hyper& h, int64_t t) {
    const TorchMomentum velocity = TorchMomentum::at(h, t);
    return {velocity.rate, static_cast<float>(h.momentum), velocity.keep, velocity.take};
  }
  DH_HOST_DEVICE float operator()(float g, float p, float (&slot)[kSlots]) const {
    slot[0] = keep * slot[0] + take * g;
    return p - rate * (g + momentum * slot[0]);
  }
};

}  // namespace downhill::DH_ISA
