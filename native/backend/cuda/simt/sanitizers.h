// What the sanitizers must be told about fibers. Nothing in other builds.
#pragma once

#if defined(__SANITIZE_ADDRESS__)
#define DH_SIMT_ASAN 1
#include <sanitizer/asan_interface.h>
#include <sanitizer/common_interface_defs.h>
#endif
// In a ThreadSanitizer build the emulator itself is compiled without it (CMakeLists.txt): its bookkeeping runs on the
// stacks of kernels, and must not be taken for theirs. DH_SIMT_TSAN then says that the kernels are checked.
#if DH_SIMT_TSAN
#include <sanitizer/tsan_interface.h>
// Of LLVM's "dynamic annotations", which GCC's runtime exports but declares nowhere.
extern "C" void AnnotateIgnoreReadsBegin(const char* file, int line);
extern "C" void AnnotateIgnoreReadsEnd(const char* file, int line);
extern "C" void AnnotateIgnoreWritesBegin(const char* file, int line);
extern "C" void AnnotateIgnoreWritesEnd(const char* file, int line);
#endif

namespace downhill::cuda::simt {

// Order between threads of a kernel: what came before publish(x) happened before what comes after observe(x).
inline void observe([[maybe_unused]] void* at) {
#if DH_SIMT_TSAN
  __tsan_acquire(at);
#endif
}
inline void publish([[maybe_unused]] void* at) {
#if DH_SIMT_TSAN
  __tsan_release(at);
#endif
}

/// While it lives, this thread's accesses are the emulator's, not the kernel's. One at a time.
class IgnoreAccesses {
 public:
#if DH_SIMT_TSAN
  IgnoreAccesses() {
    AnnotateIgnoreReadsBegin(__FILE__, __LINE__);
    AnnotateIgnoreWritesBegin(__FILE__, __LINE__);
    active_ = true;
  }
  ~IgnoreAccesses() { end(); }
  /// For a thread that fails: nothing on its stack is destroyed.
  static void end() {
    if (!active_) return;
    AnnotateIgnoreWritesEnd(__FILE__, __LINE__);
    AnnotateIgnoreReadsEnd(__FILE__, __LINE__);
    active_ = false;
  }
#else
  IgnoreAccesses() {}
  static void end() {}
#endif
  IgnoreAccesses(const IgnoreAccesses&) = delete;
  IgnoreAccesses& operator=(const IgnoreAccesses&) = delete;

#if DH_SIMT_TSAN
 private:
  inline static bool active_ = false;
#endif
};

}  // namespace downhill::cuda::simt
