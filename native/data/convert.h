// Element types that data arrives in, and their conversion to the types of tensors.
#pragma once
#include <cmath>
#include <cstddef>
#include <cstdint>
#include <limits>
#include <type_traits>

#include "core/dtype.h"
#include "core/host_device.h"

namespace downhill {

enum class Element : uint8_t { float32, float64, uint8, int32 };

inline size_t size_of(Element element) {
  switch (element) {
    case Element::float64:
      return 8;
    case Element::uint8:
      return 1;
    case Element::float32:
    case Element::int32:
      break;
  }
  return 4;
}

inline Element element_of(DType dtype) { return dtype == DType::float32 ? Element::float32 : Element::int32; }

template <typename T>
struct Limits {
  static constexpr T kLeast = std::numeric_limits<T>::min(), kMost = std::numeric_limits<T>::max();  // of integers
};

/// Floats become integers by dropping the fraction; beyond the range they saturate, NaN becomes 0.
template <typename To, typename From>
DH_HOST_DEVICE To convert(From value) {
  if constexpr (std::is_integral_v<To> && std::is_floating_point_v<From>) {
    constexpr To kLeast = Limits<To>::kLeast, kMost = Limits<To>::kMost;
    const double wide = value;
    if (!(wide > kLeast)) return wide <= kLeast ? kLeast : To{0};
    return wide < kMost ? static_cast<To>(wide) : kMost;
  } else {
    return static_cast<To>(value);
  }
}

/// Calls visit(From pointer) with data as a pointer to its element type.
template <typename Visit>
auto with_element(Element element, const std::byte* data, Visit&& visit) {
  switch (element) {
    case Element::float64:
      return visit(reinterpret_cast<const double*>(data));
    case Element::uint8:
      return visit(reinterpret_cast<const uint8_t*>(data));
    case Element::int32:
      return visit(reinterpret_cast<const int32_t*>(data));
    case Element::float32:
      break;
  }
  return visit(reinterpret_cast<const float*>(data));
}

}  // namespace downhill
