// Reductions and scans over the 32 lanes of a warp, in a fixed order: a butterfly over distances 16, 8, 4, 2, 1.
// op(a, b) must commute; the bits then are the same in all lanes. T: any plain struct of 32-bit words.
#pragma once
#include <cstring>

#include "backend/cuda/device/platform.cuh"

namespace downhill::cuda {

/// value of lane (mine ^ lanes); all 32 lanes must call it.
template <class T>
__device__ __forceinline__ T shuffle_xor(T value, int lanes) {
  static_assert(sizeof(T) % 4 == 0, "T must be made of 32-bit words");
  unsigned words[sizeof(T) / 4];
  memcpy(words, &value, sizeof(T));
  DH_UNROLL
  for (unsigned& word : words) word = __shfl_xor_sync(kFullMask, word, lanes);
  memcpy(&value, words, sizeof(T));
  return value;
}

/// value of lane mine - delta, or one's own where there is none.
template <class T>
__device__ __forceinline__ T shuffle_up(T value, int delta) {
  static_assert(sizeof(T) % 4 == 0, "T must be made of 32-bit words");
  unsigned words[sizeof(T) / 4];
  memcpy(words, &value, sizeof(T));
  DH_UNROLL
  for (unsigned& word : words) word = __shfl_up_sync(kFullMask, word, delta);
  memcpy(&value, words, sizeof(T));
  return value;
}

/// value of the lane `from`.
template <class T>
__device__ __forceinline__ T broadcast(T value, int from) {
  static_assert(sizeof(T) % 4 == 0, "T must be made of 32-bit words");
  unsigned words[sizeof(T) / 4];
  memcpy(words, &value, sizeof(T));
  DH_UNROLL
  for (unsigned& word : words) word = __shfl_sync(kFullMask, word, from);
  memcpy(&value, words, sizeof(T));
  return value;
}

/// Over the Width lanes around this one (32, 16, 8, 4, 2); every lane gets the result. All 32 lanes must call it.
template <int Width = kWarpSize, class T, class Op>
__device__ __forceinline__ T warp_reduce(T value, Op op) {
  static_assert(Width > 0 && Width <= kWarpSize && (Width & (Width - 1)) == 0, "a power of two up to 32");
  DH_UNROLL
  for (int distance = Width / 2; distance > 0; distance /= 2) value = op(value, shuffle_xor(value, distance));
  return value;
}

/// Lane i gets op over the values of lanes 0 … i.
template <class T, class Op>
__device__ __forceinline__ T warp_inclusive_scan(T value, Op op) {
  DH_UNROLL
  for (int distance = 1; distance < kWarpSize; distance *= 2) {
    const T before = shuffle_up(value, distance);
    if (lane_id() >= distance) value = op(before, value);
  }
  return value;
}

/// Lane i gets op over the values of lanes 0 … i - 1; lane 0 the identity.
template <class T, class Op>
__device__ __forceinline__ T warp_exclusive_scan(T value, Op op, T identity) {
  const T before = shuffle_up(warp_inclusive_scan(value, op), 1);
  return lane_id() == 0 ? identity : before;
}

}  // namespace downhill::cuda
