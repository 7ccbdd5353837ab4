// What this machine can do at most, to compare steps with.
#pragma once

namespace downhill::cpu {

/// Per second, on all threads of the pool.
struct Limits {
  double flops = 0;         // multiply-adds of float32 in registers, as two each
  double bytes = 0;         // read and written beyond the caches: of a copy or a pass in place, whichever is faster
  double cached_bytes = 0;  // the same in a core's own cache
};

/// Measured when first asked for, which takes about 0.1 s, and again after a change of threads or instruction set.
Limits limits();

/// Bytes that a step may move per thread to be compared with `cached_bytes`.
inline constexpr double kCachedBytes = 1 << 20;

}  // namespace downhill::cpu
