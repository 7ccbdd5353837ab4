// Activations, each beside its gradient d_x = d_y · f'(·). A gradient reads the input x, or the output y where that is
// enough. Arguments are limited where an infinite input would otherwise meet 0 · inf.
#pragma once
#include "ops/unary.h"

namespace downhill::DH_ISA {

/// max(x, 0); NaN stays NaN.
struct Relu {
  DH_HOST_DEVICE float operator()(float x) const { return x <= 0.0f ? 0.0f : x; }
  DH_HOST_DEVICE int32_t operator()(int32_t x) const { return x < 0 ? 0 : x; }
};
struct ReluGrad {
  DH_HOST_DEVICE float operator()(float y, float d_y) const { return y > 0.0f ? d_y : 0.0f; }
};

struct LeakyRelu {
  float alpha;
  DH_HOST_DEVICE float operator()(float x) const { return x > 0.0f ? x : alpha * x; }
};
struct LeakyReluGrad {
  float alpha;
  DH_HOST_DEVICE float operator()(float x, float d_y) const { return x > 0.0f ? d_y : alpha * d_y; }
};

/// Clevert et al. 2016 (arXiv:1511.07289): x, or alpha (e^x - 1) below 0.
struct Elu {
  float alpha;
  DH_HOST_DEVICE float operator()(float x) const { return x > 0.0f ? x : alpha * math::expm1(x); }
};
struct EluGrad {
  float alpha;
  DH_HOST_DEVICE float operator()(float x, float d_y) const { return x > 0.0f ? d_y : d_y * (alpha * math::exp(x)); }
};

/// Klambauer et al. 2017 (arXiv:1706.02515): a scaled elu that keeps mean 0 and variance 1.
inline constexpr float kSeluAlpha = 1.6732632423543772848170429916717f;
inline constexpr float kSeluScale = 1.0507009873554804934193349852946f;
struct Selu {
  DH_HOST_DEVICE float operator()(float x) const { return kSeluScale * (x > 0.0f ? x : kSeluAlpha * math::expm1(x)); }
};
struct SeluGrad {
  DH_HOST_DEVICE float operator()(float x, float d_y) const {
    return d_y * (kSeluScale * (x > 0.0f ? 1.0f : kSeluAlpha * math::exp(x)));
  }
};

/// Hendrycks & Gimpel 2016 (arXiv:1606.08415): x Φ(x) exactly, or by the tanh approximation.
inline constexpr float kSqrtHalf = 0.70710678118654752f;
inline constexpr float kSqrt2OverPi = 0.79788456080286536f;
inline constexpr float kGeluCubic = 0.044715f;
template <bool kApproximate>
struct GeluBy {
  DH_HOST_DEVICE float operator()(float x) const {
    float z;
    if constexpr (kApproximate)
      z = math::tanh(kSqrt2OverPi * x * (1.0f + kGeluCubic * x * x));
    else
      z = math::erf(kSqrtHalf * x);
    const float y = 0.5f * x * (1.0f + z);
    return x < -20.0f ? -0.0f : y;
  }
};
template <bool kApproximate>
struct GeluGradBy {
  DH_HOST_DEVICE float operator()(float x, float d_y) const {
    const float low = x < -20.0f ? -20.0f : x, a = low > 20.0f ? 20.0f : low, a2 = a * a;
    if constexpr (kApproximate) {
      const float t = math::tanh(kSqrt2OverPi * a * (1.0f + kGeluCubic * a2));
      const float slope = kSqrt2OverPi * (1.0f + 3.0f * kGeluCubic * a2);
      return d_y * (0.5f * (1.0f + t) + 0.5f * a * (1.0f - t * t) * slope);
    } else {
      const float density = 0.5f * kSqrt2OverPi * math::exp(-0.5f * a2);
      return d_y * (0.5f * (1.0f + math::erf(kSqrtHalf * a)) + a * density);
    }
  }
};
/// One of two formulas: loops ask for it first, since with both in it a loop computes both.
struct Gelu {
  static constexpr bool kChooses = true;
  float approximate;
  template <typename Body>
  DH_HOST_DEVICE void choose(Body&& body) const {
    approximate != 0.0f ? body(GeluBy<true>{}) : body(GeluBy<false>{});
  }
  DH_HOST_DEVICE float operator()(float x) const {
    return approximate != 0.0f ? GeluBy<true>{}(x) : GeluBy<false>{}(x);
  }
};
struct GeluGrad {
  static constexpr bool kChooses = true;
  float approximate;
  template <typename Body>
  DH_HOST_DEVICE void choose(Body&& body) const {
    approximate != 0.0f ? body(GeluGradBy<true>{}) : body(GeluGradBy<false>{});
  }
  DH_HOST_DEVICE float operator()(float x, float d_y) const {
    return approximate != 0.0f ? GeluGradBy<true>{}(x, d_y) : GeluGradBy<false>{}(x, d_y);
  }
};

/// Also called swish: x σ(x).
struct Silu {
  DH_HOST_DEVICE float operator()(float x) const { return (x < -1e30f ? -1e30f : x) * math::sigmoid(x); }
};
struct SiluGrad {
  DH_HOST_DEVICE float operator()(float x, float d_y) const {
    const float low = x < -1e30f ? -1e30f : x, a = low > 1e30f ? 1e30f : low, s = math::sigmoid(a);
    return d_y * (s * (1.0f + a * (1.0f - s)));
  }
};

struct Sigmoid {
  DH_HOST_DEVICE float operator()(float x) const { return math::sigmoid(x); }
};
struct SigmoidGrad {
  DH_HOST_DEVICE float operator()(float y, float d_y) const { return d_y * (y * (1.0f - y)); }
};

struct Tanh {
  DH_HOST_DEVICE float operator()(float x) const { return math::tanh(x); }
};
struct TanhGrad {
  DH_HOST_DEVICE float operator()(float y, float d_y) const { return d_y * (1.0f - y * y); }
};

struct Softplus {
  DH_HOST_DEVICE float operator()(float x) const { return math::softplus(x); }
};
struct SoftplusGrad {
  DH_HOST_DEVICE float operator()(float x, float d_y) const { return d_y * math::sigmoid(x); }
};

struct Softsign {
  DH_HOST_DEVICE float operator()(float x) const {
    const float low = x < -1e30f ? -1e30f : x, a = low > 1e30f ? 1e30f : low;
    return a / (1.0f + math::abs(a));
  }
};
struct SoftsignGrad {
  DH_HOST_DEVICE float operator()(float x, float d_y) const {
    const float a = 1.0f + math::abs(x);
    return d_y / (a * a);
  }
};

}  // namespace downhill::DH_ISA
