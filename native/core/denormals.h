// Whether this thread's arithmetic takes denormal numbers for zero, as operands and as results. Denormals cost Intel's
// processors some hundred cycles an instruction, and trainings make them by the million: sigmoids that saturate,
// moments of gradients that have become 0.
#pragma once
#include <cstdint>

#if defined(__x86_64__)
#include <immintrin.h>
#endif

namespace downhill {

// denormal_mode() is that of this thread: 0, or kFlushMode.
#if defined(__x86_64__)
inline constexpr uint64_t kFlushMode = 0x8040;  // MXCSR: flush to zero, denormals are zeros
inline uint64_t denormal_mode() { return _mm_getcsr() & kFlushMode; }
inline void set_denormal_mode(uint64_t mode) { _mm_setcsr(static_cast<unsigned>((_mm_getcsr() & ~kFlushMode) | mode)); }
#elif defined(__aarch64__)
inline constexpr uint64_t kFlushMode = uint64_t{1} << 24;  // FPCR.FZ
inline uint64_t denormal_mode() {
  uint64_t control;
  asm volatile("mrs %0, fpcr" : "=r"(control));
  return control & kFlushMode;
}
inline void set_denormal_mode(uint64_t mode) {
  uint64_t control;
  asm volatile("mrs %0, fpcr" : "=r"(control));
  asm volatile("msr fpcr, %0" : : "r"((control & ~kFlushMode) | mode));
}
#else
inline constexpr uint64_t kFlushMode = 0;
inline uint64_t denormal_mode() { return 0; }
inline void set_denormal_mode(uint64_t) {}
#endif

/// For a scope, and for the regions of the pool that begin in it.
class FlushDenormals {
 public:
  explicit FlushDenormals(bool flush = true) : before_(denormal_mode()) {
    if (flush) set_denormal_mode(kFlushMode);
  }
  ~FlushDenormals() { set_denormal_mode(before_); }
  FlushDenormals(const FlushDenormals&) = delete;
  FlushDenormals& operator=(const FlushDenormals&) = delete;

 private:
  const uint64_t before_;
};

}  // namespace downhill
