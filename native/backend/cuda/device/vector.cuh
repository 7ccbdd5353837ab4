// Four elements of four bytes, loaded or stored at once where the address is a multiple of 16.
#pragma once
#include "backend/cuda/device/platform.cuh"

namespace downhill::cuda {

constexpr int kQuad = 4;

template <typename T>
struct alignas(16) Quad {
  static_assert(sizeof(T) == 4, "elements have four bytes");
  T v[kQuad];
};

DH_HOST_DEVICE bool is_aligned(const void* p) { return (reinterpret_cast<uintptr_t>(p) & 15u) == 0; }

/// x[0 … count) of the quad at `from`; `aligned`: known to be aligned. The rest of x stays as it is.
template <typename T>
__device__ __forceinline__ void load_quad(const T* from, bool aligned, int count, T (&x)[kQuad]) {
  if (aligned && count == kQuad) {
    const Quad<T> quad = *reinterpret_cast<const Quad<T>*>(from);
    for (int j = 0; j < kQuad; ++j) x[j] = quad.v[j];
  } else {
    for (int j = 0; j < kQuad; ++j)
      if (j < count) x[j] = from[j];
  }
}

template <typename T>
__device__ __forceinline__ void store_quad(T* to, bool aligned, int count, const T (&x)[kQuad]) {
  if (aligned && count == kQuad) {
    Quad<T> quad;
    for (int j = 0; j < kQuad; ++j) quad.v[j] = x[j];
    *reinterpret_cast<Quad<T>*>(to) = quad;
  } else {
    for (int j = 0; j < kQuad; ++j)
      if (j < count) to[j] = x[j];
  }
}

}  // namespace downhill::cuda
