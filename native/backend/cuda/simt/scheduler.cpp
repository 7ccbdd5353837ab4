// Which thread runs next. Warps are greedy (scheduler.h); every thread that waits has a fiber, others share one.
#include "backend/cuda/simt/scheduler.h"

#include <algorithm>
#include <cstdio>
#include <exception>
#include <iterator>

#include "backend/cuda/simt/failures.h"
#include "backend/cuda/simt/sanitizers.h"
#include "backend/cuda/simt/threads.h"

namespace downhill::cuda::simt {

State state;

namespace {

/// Takes a thread that may run: of the running warp as long as there is one. -1: all wait or have ended.
int next_thread() {
  if (!state.warps[state.warp].ready) {
    if (!state.ready_warps) return -1;
    state.warp = pick(state.ready_warps);
  }
  Warp& warp = state.warps[state.warp];
  const int lane = pick(warp.ready);
  warp.ready &= ~(1u << lane);
  if (!warp.ready) state.ready_warps &= ~(1u << state.warp);
  return state.warp * 32 + lane;
}

void set_position(int thread) {
  const auto& size = position.block_size;
  const auto number = static_cast<unsigned>(thread);
  position.linear = thread;
  if (size.x == static_cast<unsigned>(state.threads)) {
    position.thread = {number, 0, 0};
  } else {
    position.thread = {number % size.x, number / size.x % size.y, number / (size.x * size.y)};
  }
}

void thread_fiber();

Fiber* take_fiber([[maybe_unused]] int thread) {
#if DH_SIMT_TSAN  // a fiber is a thread to it: always the same one for the same thread
  while (state.fibers.size() <= static_cast<size_t>(thread))
    state.fibers.push_back(std::make_unique<Fiber>(thread_fiber));
  return state.fibers[static_cast<size_t>(thread)].get();
#else
  if (state.idle.empty()) {
    state.fibers.push_back(std::make_unique<Fiber>(thread_fiber));
    return state.fibers.back().get();
  }
  Fiber* fiber = state.idle.back();
  state.idle.pop_back();
  return fiber;
#endif
}

void give_fiber([[maybe_unused]] Fiber* fiber) {
#if !DH_SIMT_TSAN
  state.idle.push_back(fiber);
#endif
}

void switch_to_thread(Fiber& from, int thread) {
  if (!state.fiber_of[thread]) state.fiber_of[thread] = take_fiber(thread);
  state.running = state.fiber_of[thread];
  set_position(thread);
  from.switch_to(*state.running);
}

/// False when the kernel threw; what is in `thrown`.
bool call_body(char (&thrown)[256]) {
  try {
    state.body(state.context);
    return true;
  } catch (const std::exception& error) {
    std::snprintf(thrown, sizeof thrown, "%s", error.what());
  } catch (...) {
    std::snprintf(thrown, sizeof thrown, "something that is no std::exception");
  }
  return false;
}

/// Runs threads to their end, one after another. Only a thread that waits needs a fiber of its own.
void thread_fiber() {
  Fiber::arrived();
  for (;;) {
    observe(&state.order_points[0]);
    char thrown[256];
    if (!call_body(thrown)) fail(state.launch->site, "the kernel threw: %s", thrown);
    leave_collectives();
    state.fiber_of[position.linear] = nullptr;
    publish(&state.order_points[1]);

    Fiber& mine = *state.running;
    const int next = next_thread();
    if (next < 0) {
      if (state.live > 0) end_stuck_launch();
      give_fiber(&mine);
      mine.switch_to(*state.host);
      continue;  // as another thread, of another block
    }
#if !DH_SIMT_TSAN
    if (!state.fiber_of[next]) {
      state.fiber_of[next] = &mine;
      set_position(next);
      continue;
    }
#endif
    give_fiber(&mine);
    switch_to_thread(mine, next);
  }
}

}  // namespace

void run_threads() { switch_to_thread(*state.host, next_thread()); }

void wait(const char* name, Site site, uint32_t mask) {
  state.waiting[position.linear] = {name, site, mask};
  publish(&state.order_points[1]);  // in case that it is the last it does
  Fiber& mine = *state.running;
  const int next = next_thread();
  if (next < 0) end_stuck_launch();
  switch_to_thread(mine, next);
}

void prepare_fibers() {
#if DH_SIMT_TSAN
  while (static_cast<int>(state.fibers.size()) < state.threads)
    state.fibers.push_back(std::make_unique<Fiber>(thread_fiber));
#endif
}

void abandon_fibers() {
#if DH_SIMT_TSAN
  for (int thread = 0; thread < state.threads; ++thread) state.fibers[static_cast<size_t>(thread)]->reset();
#else
  for (Fiber*& fiber : state.fiber_of) {
    if (!fiber) continue;
    fiber->reset();
    state.idle.push_back(fiber);
  }
#endif
  std::fill(std::begin(state.fiber_of), std::end(state.fiber_of), nullptr);
}

}  // namespace downhill::cuda::simt
