// Lion, Chen et al. 2023 (arXiv:2302.06675), algorithm 2. Slot 0: mean of gradients m.
#pragma once
#include "core/host_device.h"
#include "ops/unary.h"
#include "optim/rule.h"

namespace downhill::DH_ISA {

/// p ← p - rate·sign(β1·m + (1 - β1)·g), m ← β2·m + (1 - β2)·g. Keras `Lion`.
struct Lion {
  static constexpr int kSlots = 1;
  float rate, keep1, take1, keep2, take2;

  static Lion at(const Hyper& h, int64_t) {
    return {static_cast<float>(h.learning_rate), static_cast<float>(h.beta1), static_cast<float>(1 - h.beta1),
            static_cast<float>(h.beta2), static_cast<float>(1 - h.beta2)};
  }
  DH_HOST_DEVICE float operator()(float g, float p, float (&slot)[kSlots]) const {
    const float direction = Sign()(keep1 * slot[0] + take1 * g);
    slot[0] = keep2 * slot[0] + take2 * g;
    return p - rate * direction;
  }
};

}  // namespace downhill::DH_ISA
