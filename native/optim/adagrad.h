// AdaGrad, Duchi, Hazan and Singer 2011 (JMLR 12). Slot 0: sum of squares r, which begins at a value of the user's.
#pragma once
#include "core/host_device.h"
#include "core/math.h"
#include "optim/rule.h"

namespace downhill::DH_ISA {

/// r ← r + g², p ← p - rate·g / √(r + ε) (Keras) or / (√r + ε) (PyTorch; Goodfellow et al. 2016, algorithm 8.4), rate =
/// learning rate / (1 + (t - 1)·decay).
struct Adagrad {
  static constexpr int kSlots = 1;
  float rate, inside, outside;  // of the root: ε

  static Adagrad at(const Hyper& h, int64_t t) {
    const double decay = 1 + static_cast<double>(t - 1) * h.learning_rate_decay;
    return {static_cast<float>(h.learning_rate / decay), static_cast<float>(h.inner_epsilon),
            static_cast<float>(h.epsilon)};
  }
  Rest rest() const { return Rest::always; }
  DH_HOST_DEVICE float operator()(float g, float p, float (&slot)[kSlots]) const {
    slot[0] += g * g;
    return p - rate * g / (math::sqrt(slot[0] + inside) + outside);
  }
};

}  // namespace downhill::DH_ISA
