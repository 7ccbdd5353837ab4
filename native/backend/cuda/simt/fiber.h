// A stack of its own that can be left in the middle and gone on with: one thread of a kernel at a time.
#pragma once
#include <cstddef>

namespace downhill::cuda::simt {

class Fiber {
 public:
  /// The calling host thread's own stack.
  Fiber();
  /// Runs entry, which never returns, from its first switch on.
  explicit Fiber(void (*entry)());
  ~Fiber();
  Fiber(const Fiber&) = delete;
  Fiber& operator=(const Fiber&) = delete;

  /// Leaves this one, which must be the running one; returns when something switches back.
  void switch_to(Fiber& to);
  /// The first thing that entry does.
  static void arrived();
  /// Forgets what it was doing: the next switch runs entry anew. Nothing on its stack is destroyed.
  void reset();

 private:
  void (*entry_)() = nullptr;
  char* memory_ = nullptr;  // a guard page, then the stack
  const void* bottom_ = nullptr;
  size_t size_ = 0;
  void* context_ = nullptr;     // the saved stack pointer, or a ucontext_t
  void* fake_stack_ = nullptr;  // AddressSanitizer's
  void* tsan_ = nullptr;        // ThreadSanitizer's
};

}  // namespace downhill::cuda::simt
