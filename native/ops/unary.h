// Functors of the elementwise rows with one operand. Attributes are members, in the row's order.
#pragma once
#include "core/host_device.h"
#include "core/math.h"

namespace downhill::DH_ISA {

/// int32 arithmetic wraps around, as in NumPy; in C++ it would be undefined.
DH_HOST_DEVICE int32_t wrap(uint32_t x) { return static_cast<int32_t>(x); }
DH_HOST_DEVICE uint32_t raw(int32_t x) { return static_cast<uint32_t>(x); }

struct Neg {
  DH_HOST_DEVICE float operator()(float x) const { return -x; }
  DH_HOST_DEVICE int32_t operator()(int32_t x) const { return wrap(0u - raw(x)); }
};

struct Abs {
  DH_HOST_DEVICE float operator()(float x) const { return math::abs(x); }
  DH_HOST_DEVICE int32_t operator()(int32_t x) const { return x < 0 ? wrap(0u - raw(x)) : x; }
};

/// -1, 0 or 1; ±0 and NaN stay as they are.
struct Sign {
  DH_HOST_DEVICE float operator()(float x) const { return x > 0.0f ? 1.0f : x < 0.0f ? -1.0f : x; }
  DH_HOST_DEVICE int32_t operator()(int32_t x) const { return (x > 0) - (x < 0); }
};

struct Square {
  DH_HOST_DEVICE float operator()(float x) const { return x * x; }
  DH_HOST_DEVICE int32_t operator()(int32_t x) const { return wrap(raw(x) * raw(x)); }
};

struct Exp {
  DH_HOST_DEVICE float operator()(float x) const { return math::exp(x); }
};

struct Log {
  DH_HOST_DEVICE float operator()(float x) const { return math::log(x); }
};

struct Sqrt {
  DH_HOST_DEVICE float operator()(float x) const { return math::sqrt(x); }
};

struct Rsqrt {
  DH_HOST_DEVICE float operator()(float x) const { return math::rsqrt(x); }
};

struct Erf {
  DH_HOST_DEVICE float operator()(float x) const { return math::erf(x); }
};

/// The least int32 >= bound and the greatest <= bound, as far as there is one.
DH_HOST_DEVICE int32_t ceil_to_int(float bound) {
  if (!(bound < 2147483648.0f)) return 2147483647;
  if (bound <= -2147483648.0f) return -2147483647 - 1;
  const int32_t whole = static_cast<int32_t>(bound);
  return whole + (static_cast<float>(whole) < bound ? 1 : 0);
}
DH_HOST_DEVICE int32_t floor_to_int(float bound) {
  if (!(bound < 2147483648.0f)) return 2147483647;
  if (bound <= -2147483648.0f) return -2147483647 - 1;
  const int32_t whole = static_cast<int32_t>(bound);
  return whole - (static_cast<float>(whole) > bound ? 1 : 0);
}

/// x limited to [low, high]; NaN stays NaN. Integers: limited to the integers between the bounds.
struct Clip {
  float low, high;
  DH_HOST_DEVICE float operator()(float x) const {
    const float y = x < low ? low : x;
    return y > high ? high : y;
  }
  DH_HOST_DEVICE int32_t operator()(int32_t x) const {
    const int32_t least = ceil_to_int(low), most = floor_to_int(high), y = x < least ? least : x;
    return y > most ? most : y;
  }
};

}  // namespace downhill::DH_ISA
