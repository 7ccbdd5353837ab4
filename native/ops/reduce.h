// Functors of the reductions: an identity, and a combination of two values that loops may apply in any shape of tree.
// V: the element type or, on the CPU, a vector of it. Sums of integers take unsigned ones, which wrap around.
#pragma once
#include <cstdint>
#include <limits>

#include "core/host_device.h"

namespace downhill::DH_ISA {

template <typename T>
struct SumOf {
  using Type = T;
  static constexpr T kIdentity = T(0);
  template <typename V>
  static DH_HOST_DEVICE V apply(V a, V b) {
    return a + b;
  }
};

/// NaN wins, as in NumPy. So in MinOf.
template <typename T>
struct MaxOf {
  using Type = T;
  static constexpr T kIdentity =
      std::numeric_limits<T>::has_infinity ? -std::numeric_limits<T>::infinity() : std::numeric_limits<T>::lowest();
  template <typename V>
  static DH_HOST_DEVICE V apply(V a, V b) {
    return (a > b) | (a != a) ? a : b;
  }
};

template <typename T>
struct MinOf {
  using Type = T;
  static constexpr T kIdentity =
      std::numeric_limits<T>::has_infinity ? std::numeric_limits<T>::infinity() : std::numeric_limits<T>::max();
  template <typename V>
  static DH_HOST_DEVICE V apply(V a, V b) {
    return (a < b) | (a != a) ? a : b;
  }
};

/// argmax: whether value b at position j takes the place of value a at position i. The first NaN wins, then the first
/// of the largest. In any order of comparisons one element remains, the same one.
struct ArgmaxOf {
  template <typename T>
  static DH_HOST_DEVICE bool replaces(T b, int64_t j, T a, int64_t i) {
    const bool a_nan = a != a, b_nan = b != b;
    if (a_nan != b_nan) return b_nan;
    return b > a || ((a_nan || a == b) && j < i);
  }
};

/// Whether a later element takes the place of the largest so far: the first NaN wins, then the first of the largest.
struct FirstLargest {
  template <typename T>
  static DH_HOST_DEVICE bool replaces(T later, T largest) {
    return (later > largest) | ((later != later) & (largest == largest));
  }
};

}  // namespace downhill::DH_ISA
