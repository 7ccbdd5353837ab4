#include "backend/cuda/simt/fiber.h"

#include <pthread.h>
#include <sys/mman.h>
#include <unistd.h>

#include <cstdint>
#include <new>

#include "backend/cuda/simt/sanitizers.h"

#if !defined(__x86_64__) && !defined(__aarch64__)
#define DH_SIMT_UCONTEXT 1
#endif
#if DH_SIMT_UCONTEXT
#include <ucontext.h>
#endif

namespace downhill::cuda::simt {

namespace {
#if DH_SIMT_ASAN || DH_SIMT_TSAN
constexpr size_t kStack = 512 * 1024;
#else
constexpr size_t kStack = 256 * 1024;  // of address space: only touched pages take memory
#endif
}  // namespace

#if !DH_SIMT_UCONTEXT
// Saves the registers that a function must keep, changes stacks, restores the others'.
extern "C" void downhill_simt_switch(void** save, void* to);
#if defined(__x86_64__)
asm(R"(
.text
.globl downhill_simt_switch
.hidden downhill_simt_switch
.type downhill_simt_switch,@function
downhill_simt_switch:
  pushq %rbp
  pushq %rbx
  pushq %r12
  pushq %r13
  pushq %r14
  pushq %r15
  movq %rsp, (%rdi)
  movq %rsi, %rsp
  popq %r15
  popq %r14
  popq %r13
  popq %r12
  popq %rbx
  popq %rbp
  ret
.size downhill_simt_switch,.-downhill_simt_switch
)");

static void* first_context(char* top, void (*entry)()) {
  void** at = reinterpret_cast<void**>(reinterpret_cast<uintptr_t>(top) & ~uintptr_t{15});
  *--at = nullptr;  // where entry would return to; the stack is now aligned as at a function's start
  *--at = reinterpret_cast<void*>(entry);
  for (int i = 0; i < 6; ++i) *--at = nullptr;
  return at;
}
#else
asm(R"(
.text
.globl downhill_simt_switch
.hidden downhill_simt_switch
.type downhill_simt_switch,%function
downhill_simt_switch:
  sub sp, sp, #160
  stp x19, x20, [sp, #0]
  stp x21, x22, [sp, #16]
  stp x23, x24, [sp, #32]
  stp x25, x26, [sp, #48]
  stp x27, x28, [sp, #64]
  stp x29, x30, [sp, #80]
  stp d8, d9, [sp, #96]
  stp d10, d11, [sp, #112]
  stp d12, d13, [sp, #128]
  stp d14, d15, [sp, #144]
  mov x9, sp
  str x9, [x0]
  mov sp, x1
  ldp x19, x20, [sp, #0]
  ldp x21, x22, [sp, #16]
  ldp x23, x24, [sp, #32]
  ldp x25, x26, [sp, #48]
  ldp x27, x28, [sp, #64]
  ldp x29, x30, [sp, #80]
  ldp d8, d9, [sp, #96]
  ldp d10, d11, [sp, #112]
  ldp d12, d13, [sp, #128]
  ldp d14, d15, [sp, #144]
  add sp, sp, #160
  ret
.size downhill_simt_switch,.-downhill_simt_switch
)");

static void* first_context(char* top, void (*entry)()) {
  void** at = reinterpret_cast<void**>(reinterpret_cast<uintptr_t>(top) & ~uintptr_t{15}) - 20;
  for (int i = 0; i < 20; ++i) at[i] = nullptr;
  at[11] = reinterpret_cast<void*>(entry);  // x30
  return at;
}
#endif
#endif

Fiber::Fiber() {
#if DH_SIMT_ASAN
  thread_local void* bottom = nullptr;
  thread_local size_t size = 0;
  if (!bottom) {  // slow: reads the process's maps
    pthread_attr_t attributes;
    pthread_getattr_np(pthread_self(), &attributes);
    pthread_attr_getstack(&attributes, &bottom, &size);
    pthread_attr_destroy(&attributes);
  }
  bottom_ = bottom;
  size_ = size;
#endif
#if DH_SIMT_TSAN
  tsan_ = __tsan_get_current_fiber();
#endif
#if DH_SIMT_UCONTEXT
  context_ = new ucontext_t;
#endif
}

Fiber::Fiber(void (*entry)()) : entry_(entry) {
  const size_t page = static_cast<size_t>(sysconf(_SC_PAGESIZE));
  void* memory =
      mmap(nullptr, kStack + page, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
  if (memory == MAP_FAILED) throw std::bad_alloc();
  memory_ = static_cast<char*>(memory);
  mprotect(memory_, page, PROT_NONE);
  bottom_ = memory_ + page;
  size_ = kStack;
#if DH_SIMT_UCONTEXT
  context_ = new ucontext_t;
#endif
  reset();
}

Fiber::~Fiber() {
#if DH_SIMT_TSAN
  if (memory_) __tsan_destroy_fiber(tsan_);
#endif
#if DH_SIMT_UCONTEXT
  delete static_cast<ucontext_t*>(context_);
#endif
  if (memory_) munmap(memory_, size_ + (static_cast<const char*>(bottom_) - memory_));
}

void Fiber::reset() {
  char* stack = static_cast<char*>(const_cast<void*>(bottom_));
#if DH_SIMT_ASAN
  __asan_unpoison_memory_region(stack, size_);  // frames that never returned
  fake_stack_ = nullptr;
#endif
#if DH_SIMT_TSAN
  if (tsan_) __tsan_destroy_fiber(tsan_);
  tsan_ = __tsan_create_fiber(0);
#endif
#if DH_SIMT_UCONTEXT
  auto* context = static_cast<ucontext_t*>(context_);
  getcontext(context);
  context->uc_stack.ss_sp = stack;
  context->uc_stack.ss_size = size_;
  context->uc_link = nullptr;
  makecontext(context, entry_, 0);
#else
  context_ = first_context(stack + size_, entry_);
#endif
}

void Fiber::switch_to(Fiber& to) {
#if DH_SIMT_ASAN
  __sanitizer_start_switch_fiber(&fake_stack_, to.bottom_, to.size_);
#endif
#if DH_SIMT_TSAN
  __tsan_switch_to_fiber(to.tsan_, __tsan_switch_to_fiber_no_sync);
#endif
#if DH_SIMT_UCONTEXT
  swapcontext(static_cast<ucontext_t*>(context_), static_cast<ucontext_t*>(to.context_));
#else
  downhill_simt_switch(&context_, to.context_);
#endif
#if DH_SIMT_ASAN
  __sanitizer_finish_switch_fiber(fake_stack_, nullptr, nullptr);
#endif
}

void Fiber::arrived() {
#if DH_SIMT_ASAN
  __sanitizer_finish_switch_fiber(nullptr, nullptr, nullptr);
#endif
}

}  // namespace downhill::cuda::simt
