// Passes over arrays that lie beyond the caches fetch what comes 2 KiB later: the hardware's own prefetching stays
// behind where several arrays are read and written at once (bench/README.md).
#pragma once
#include <cstdint>

#include "core/host_device.h"

namespace downhill::cpu::DH_ISA {

namespace {

inline constexpr int64_t kAhead = 512;   // floats
inline constexpr int64_t kStretch = 64;  // floats that are fetched at once

/// Asks for x[ahead … ahead + kStretch), for a loop that has come to x. It need not exist.
[[gnu::always_inline]] inline void fetch_ahead(const float* x, int64_t ahead = kAhead) {
  const uintptr_t from = reinterpret_cast<uintptr_t>(x) + static_cast<uintptr_t>(ahead) * sizeof(float);
  constexpr uintptr_t kLine = 64, kBytes = kStretch * sizeof(float);
  for (uintptr_t line = 0; line < kBytes; line += kLine) __builtin_prefetch(reinterpret_cast<const void*>(from + line));
}

/// Asks for the line 2 KiB behind x.
[[gnu::always_inline]] inline void fetch_line_ahead(const void* x) {
  __builtin_prefetch(reinterpret_cast<const void*>(reinterpret_cast<uintptr_t>(x) + kAhead * sizeof(float)));
}

/// body(begin, size) for [0, n) by stretches, after fetch(begin). `fetch` must be inlined always: GCC takes calls of a
/// function that does nothing but fetch for useless.
template <typename Fetch, typename Body>
[[gnu::always_inline]] inline void by_stretches(int64_t n, const Fetch& fetch, const Body& body) {
  int64_t begin = 0;
  for (; begin + kStretch <= n; begin += kStretch) {
    fetch(begin);
    body(begin, kStretch);
  }
  if (begin < n) body(begin, n - begin);
}

}  // namespace

}  // namespace downhill::cpu::DH_ISA
