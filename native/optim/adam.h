// Adam, Kingma and Ba 2014 (arXiv:1412.6980). Slot 0: mean of gradients m. Slot 1: mean of their squares v.
#pragma once
#include <cmath>

#include "core/host_device.h"
#include "core/math.h"
#include "ops/binary.h"
#include "optim/rule.h"

namespace downhill::DH_ISA {

/// m ← m + (1 - β1)(g - m), v ← v + (1 - β2)(g² - v); blend: 1 - β.
DH_HOST_DEVICE void adam_means(float g, float blend1, float blend2, float& m, float& v) {
  m += blend1 * (g - m);
  v += blend2 * (g * g - v);
}

/// m ← m + (1 - β1)(g - m), v ← v + (1 - β2)(g² - v), p ← p - a·m / (√v + ε), a = rate·√(1 - β2ᵗ) / (1 - β1ᵗ).
/// The paper's section 2, "epsilon hat": ε is not bias-corrected. Keras `Adam`.
struct Adam {
  static constexpr int kSlots = 2;
  float rate, blend1, blend2, epsilon;  // rate: a; blend: 1 - β

  static Adam at(const Hyper& h, int64_t t) {
    const auto steps = static_cast<double>(t);
    const double rate = h.learning_rate * std::sqrt(1 - std::pow(h.beta2, steps)) / (1 - std::pow(h.beta1, steps));
    return {static_cast<float>(rate), static_cast<float>(1 - h.beta1), static_cast<float>(1 - h.beta2),
            static_cast<float>(h.epsilon)};
  }
  DH_HOST_DEVICE void average(float g, float& m, float& v) const { adam_means(g, blend1, blend2, m, v); }
  DH_HOST_DEVICE float move(float p, float m, float v) const { return p - rate * m / (math::sqrt(v) + epsilon); }
  DH_HOST_DEVICE float operator()(float g, float p, float (&slot)[kSlots]) const {
    average(g, slot[0], slot[1]);
    return move(p, slot[0], slot[1]);
  }
};

/// m and v as in Adam; p ← p - rate / (1 - β1ᵗ) · m / (√v / √(1 - β2ᵗ) + ε). Algorithm 1 of the paper; PyTorch `Adam`.
struct TorchAdam {
  static constexpr int kSlots = 2;
  float rate, blend1, beta2, blend2, root2, epsilon;  // rate: corrected; root2: √(1 - β2ᵗ)

  static TorchAdam at(const Hyper& h, int64_t t) {
    const auto steps = static_cast<double>(t);
    return {static_cast<float>(h.learning_rate / (1 - std::pow(h.beta1, steps))),
            static_cast<float>(1 - h.beta1),
            static_cast<float>(h.beta2),
            static_cast<float>(1 - h.beta2),
            static_cast<float>(std::sqrt(1 - std::pow(h.beta2, steps))),
            static_cast<float>(h.epsilon)};
  }
  DH_HOST_DEVICE void average(float g, float& m, float& v) const {
    m += blend1 * (g - m);
    v = beta2 * v + blend2 * (g * g);
  }
  DH_HOST_DEVICE float move(float p, float m, float v) const {
    return p - rate * (m / (math::sqrt(v) / root2 + epsilon));
  }
  DH_HOST_DEVICE float operator()(float g, float p, float (&slot)[kSlots]) const {
    average(g, slot[0], slot[1]);
    return move(p, slot[0], slot[1]);
  }
};

/// AMSGrad, Reddi, Kale and Kumar 2018 (arXiv:1904.09237), algorithm 2, on either form: the largest v so far, v̂ ←
/// max(v̂, v), takes v's place where p moves. Slot 2: v̂, not corrected for bias.
template <typename Form>
struct Amsgrad {
  static constexpr int kSlots = 3;
  Form form;

  static Amsgrad at(const Hyper& h, int64_t t) { return {Form::at(h, t)}; }
  DH_HOST_DEVICE float operator()(float g, float p, float (&slot)[kSlots]) const {
    form.average(g, slot[0], slot[1]);
    slot[2] = Maximum()(slot[2], slot[1]);
    return form.move(p, slot[0], slot[2]);
  }
};

using KerasAmsgrad = Amsgrad<Adam>;
using TorchAmsgrad = Amsgrad<TorchAdam>;

}  // namespace downhill::DH_ISA
