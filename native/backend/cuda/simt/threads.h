// Which thread of the block runs, and how it gives way to others.
#pragma once
#include "backend/cuda/simt/state.h"

namespace downhill::cuda::simt {

inline uint64_t random_bits() {  // xorshift64*
  uint64_t& x = state.random;
  x ^= x >> 12;
  x ^= x << 25;
  x ^= x >> 27;
  return x * 0x2545f4914f6cdd1du;
}

/// One of the set bits, in the order that was asked for.
inline int pick(uint32_t bits) {
  switch (state.order) {
    case Order::forward:
      return __builtin_ctz(bits);
    case Order::reverse:
      return 31 - __builtin_clz(bits);
    case Order::shuffle:
      break;
  }
  for (auto skip = random_bits() % static_cast<unsigned>(__builtin_popcount(bits)); skip > 0; --skip) bits &= bits - 1;
  return __builtin_ctz(bits);
}

inline void make_ready(int warp, uint32_t lanes) {
  state.warps[warp].ready |= lanes;
  if (state.warps[warp].ready) state.ready_warps |= 1u << warp;
}

/// After the last one to arrive at something made all ready: it goes on itself.
inline void stay_running(int warp, uint32_t lane) {
  state.warps[warp].ready &= ~lane;
  if (!state.warps[warp].ready) state.ready_warps &= ~(1u << warp);
}

/// The first thread of a block starts, on a fiber; it and those after it run to their ends, or until all wait.
void run_threads();
/// The running thread waits until it is made ready.
void wait(const char* name, Site site, uint32_t mask);
/// Fibers that are there before a launch: of the threads that ThreadSanitizer shall tell apart.
void prepare_fibers();
/// After a failure: what the fibers of the block's threads were doing is forgotten.
void abandon_fibers();

/// Of a thread that has ended: those that wait no longer wait for it. collectives.cpp
void leave_collectives();

}  // namespace downhill::cuda::simt
