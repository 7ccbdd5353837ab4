// Functors of the rows that draw a random number for each element: x and the number give y. One with kNormal takes a
// standard normal number, the others one that is uniform in [0, 1).
#pragma once
#include "core/host_device.h"
#include "core/math.h"

namespace downhill::DH_ISA {

/// Srivastava et al. 2014 (JMLR 15), inverted: x / (1 - rate) where the random number is at least rate, 0 elsewhere.
struct Dropout {
  static constexpr bool kNormal = false;
  float rate, scale;
  DH_HOST_DEVICE explicit Dropout(float rate) : rate(rate), scale(rate < 1.0f ? 1.0f / (1.0f - rate) : 0.0f) {}
  DH_HOST_DEVICE float operator()(float x, float random) const { return random >= rate ? x * scale : 0.0f; }
};

/// Srivastava et al. 2014, section 10: x times a normal number of mean 1 and variance rate / (1 - rate), dropout's.
struct GaussianDropout {
  static constexpr bool kNormal = true;
  float deviation;
  DH_HOST_DEVICE explicit GaussianDropout(float rate) : deviation(math::sqrt(rate / (1.0f - rate))) {}
  DH_HOST_DEVICE float operator()(float x, float random) const { return x * (1.0f + deviation * random); }
};

/// x plus a normal number of mean 0.
struct GaussianNoise {
  static constexpr bool kNormal = true;
  float deviation;
  DH_HOST_DEVICE explicit GaussianNoise(float deviation) : deviation(deviation) {}
  DH_HOST_DEVICE float operator()(float x, float random) const { return x + deviation * random; }
};

}  // namespace downhill::DH_ISA
