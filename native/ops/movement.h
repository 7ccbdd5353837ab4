// Functors of rows that only convert elements.
#pragma once
#include <cstdint>

#include "core/host_device.h"

namespace downhill::DH_ISA {

/// Towards zero; limited to the ends of the range, NaN gives 0.
struct ToInt32 {
  DH_HOST_DEVICE int32_t operator()(float x) const {
    const float inside = x >= -2147483648.0f && x < 2147483648.0f ? x : 0.0f;
    const int32_t whole = static_cast<int32_t>(inside);
    return x >= 2147483648.0f ? 2147483647 : x < -2147483648.0f ? -2147483647 - 1 : whole;
  }
};

struct ToFloat32 {
  DH_HOST_DEVICE float operator()(int32_t x) const { return static_cast<float>(x); }
};

}  // namespace downhill::DH_ISA
