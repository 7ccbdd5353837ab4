// Formulas of the normalization of rows: y = gamma · x̂ + beta with x̂ = (x - mean) · inverse, or x · inverse for the
// root of the mean square (Ba, Kiros and Hinton 2016, arXiv:1607.06450; Zhang and Sennrich 2019, arXiv:1910.07467).
// Loops and sums are the backends'. V: float or, on the CPU, lanes of it.
#pragma once
#include <cstdint>

#include "core/host_device.h"
#include "core/math.h"

namespace downhill::DH_ISA::normalization {

DH_HOST_DEVICE float mean(float total, int64_t n) { return total / static_cast<float>(n); }

/// 1/σ from Σ (x - mean)², or 1 over the root of the mean square from Σ x².
DH_HOST_DEVICE float inverse(float squares, int64_t n, float epsilon) {
  return math::rsqrt(squares / static_cast<float>(n) + epsilon);
}

template <typename V>
DH_HOST_DEVICE V normalized(V centered, V inverse) {
  return centered * inverse;
}

/// d_x from d = gamma · d_y, with the means of d and of d · x̂ over the row; the root of the mean square has no first
/// term.
template <bool kCentered, typename V>
DH_HOST_DEVICE V input_gradient(V d, V normalized, V mean_d, V mean_along, V inverse) {
  if constexpr (kCentered) return (d - mean_d - normalized * mean_along) * inverse;
  return (d - normalized * mean_along) * inverse;
}

}  // namespace downhill::DH_ISA::normalization
