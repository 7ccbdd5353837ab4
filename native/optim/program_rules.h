// Rules whose update is a graph program (optim/update_programs.h). Here stands what happens around it: the elementwise
// pass leaves the processed gradient in slot 0 for the program, and the members of a functor are the scalars that the
// program reads, in their order, computed for each step in double.
#pragma once
#include <algorithm>
#include <cmath>

#include "core/host_device.h"
#include "optim/rule.h"

namespace downhill::DH_ISA {

struct ProgramRule {
  static constexpr int kSlots = 1;
  DH_HOST_DEVICE float operator()(float g, float p, float (&slot)[kSlots]) const {
    slot[0] = g;
    return p;
  }
};

/// Adafactor, Shazeer and Stern 2018 (arXiv:1804.04235), Algorithm 5: ρ = min(rate, 1/√t), β₂ = 1 - t^beta2Decay.
struct Adafactor : ProgramRule {
  float rate, beta2, blend2, decay;  // rate: ρ; blend2: 1 - β₂; decay: rate·λ

  static Adafactor at(const Hyper& h, int64_t t) {
    const auto steps = static_cast<double>(t);
    const double blend2 = std::pow(steps, h.beta2_decay);
    return {{},
            static_cast<float>(std::min(h.learning_rate, 1 / std::sqrt(steps))),
            static_cast<float>(1 - blend2),
            static_cast<float>(blend2),
            static_cast<float>(h.learning_rate * h.weight_decay)};
  }
};
/// Whose program decays the parameter.
struct TorchAdafactor : Adafactor {
  static constexpr bool kOwnDecay = true;
  static TorchAdafactor at(const Hyper& h, int64_t t) { return {Adafactor::at(h, t)}; }
};

/// Muon, Jordan et al. 2024 (https://kellerjordan.github.io/posts/muon).
struct Muon : ProgramRule {
  float rate;

  static Muon at(const Hyper& h, int64_t) { return {{}, static_cast<float>(h.learning_rate)}; }
};

}  // namespace downhill::DH_ISA
