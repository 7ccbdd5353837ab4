// CUDA's atomics. Real atomics, so that ThreadSanitizer takes them for what they are.
#pragma once
#include "backend/cuda/simt/language.h"

namespace downhill::cuda::simt {

/// *address = change(*address) in one step; returns what was there.
template <class T, class Change>
inline T atomic_update(T* address, Change change) {
  T old, next;
  __atomic_load(address, &old, __ATOMIC_RELAXED);
  do {
    next = change(old);
  } while (!__atomic_compare_exchange(address, &old, &next, true, __ATOMIC_RELAXED, __ATOMIC_RELAXED));
  return old;
}

// Wider than CUDA, which has no atomics for long (int64_t on 64-bit Linux), and few for signed 64-bit integers.
template <class T>
inline constexpr bool is_word = std::is_integral_v<T> && (sizeof(T) == 4 || sizeof(T) == 8);
template <class T>
using IfWord = std::enable_if_t<is_word<T>, T>;
template <class T>
using IfNumber = std::enable_if_t<is_word<T> || std::is_floating_point_v<T>, T>;
template <class T>
using Value = std::common_type_t<T>;  // takes no part in the deduction of T

}  // namespace downhill::cuda::simt

template <class T>
inline downhill::cuda::simt::IfNumber<T> atomicAdd(T* address, downhill::cuda::simt::Value<T> value) {
  return downhill::cuda::simt::atomic_update(address, [&](T old) { return static_cast<T>(old + value); });
}
template <class T>
inline downhill::cuda::simt::IfWord<T> atomicSub(T* address, downhill::cuda::simt::Value<T> value) {
  return downhill::cuda::simt::atomic_update(address, [&](T old) { return static_cast<T>(old - value); });
}
template <class T>
inline downhill::cuda::simt::IfWord<T> atomicMax(T* address, downhill::cuda::simt::Value<T> value) {
  return downhill::cuda::simt::atomic_update(address, [&](T old) { return old < value ? value : old; });
}
template <class T>
inline downhill::cuda::simt::IfWord<T> atomicMin(T* address, downhill::cuda::simt::Value<T> value) {
  return downhill::cuda::simt::atomic_update(address, [&](T old) { return value < old ? value : old; });
}
template <class T>
inline downhill::cuda::simt::IfWord<T> atomicOr(T* address, downhill::cuda::simt::Value<T> value) {
  return downhill::cuda::simt::atomic_update(address, [&](T old) { return static_cast<T>(old | value); });
}
template <class T>
inline downhill::cuda::simt::IfWord<T> atomicAnd(T* address, downhill::cuda::simt::Value<T> value) {
  return downhill::cuda::simt::atomic_update(address, [&](T old) { return static_cast<T>(old & value); });
}
template <class T>
inline downhill::cuda::simt::IfNumber<T> atomicExch(T* address, downhill::cuda::simt::Value<T> value) {
  return downhill::cuda::simt::atomic_update(address, [&](T) { return value; });
}
template <class T>
inline downhill::cuda::simt::IfWord<T> atomicCAS(T* address, downhill::cuda::simt::Value<T> expected,
                                                 downhill::cuda::simt::Value<T> value) {
  __atomic_compare_exchange(address, &expected, &value, false, __ATOMIC_SEQ_CST, __ATOMIC_SEQ_CST);
  return expected;
}
// All threads of a kernel run on one host thread: only the compiler must keep the order.
inline void __threadfence() { asm volatile("" ::: "memory"); }
inline void __threadfence_block() { asm volatile("" ::: "memory"); }
