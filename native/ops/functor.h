// Functors of the elementwise rows with their attributes as members, in the row's order.
#pragma once
#include <type_traits>

#include "core/host_device.h"

namespace downhill::DH_ISA {

template <typename F>
DH_HOST_DEVICE F make(const float* params) {
  if constexpr (std::is_empty_v<F>) {
    (void)params;
    return F{};
  } else if constexpr (sizeof(F) == sizeof(float)) {
    return F{params[0]};
  } else {
    static_assert(sizeof(F) == 2 * sizeof(float), "at most two attributes");
    return F{params[0], params[1]};
  }
}

}  // namespace downhill::DH_ISA
