// Barriers of a block, and what the lanes of a warp do together.
#include <cstring>

#include "backend/cuda/simt/block_copies.h"
#include "backend/cuda/simt/failures.h"
#include "backend/cuda/simt/sanitizers.h"
#include "backend/cuda/simt/threads.h"

namespace downhill::cuda::simt {

namespace {

void end_barrier() {
  state.outcome = {state.votes, state.at_barrier};
  state.at_barrier = state.votes = 0;
  ++state.barriers;
  for (int warp = 0; warp * 32 < state.threads; ++warp) {
    make_ready(warp, state.warps[warp].at_barrier);
    state.warps[warp].at_barrier = 0;
  }
}

void end_gathering(int warp, Gathering& gathering) {
  {
    IgnoreAccesses of_the_emulator;
    gathering.finish(gathering.lanes, gathering.site);
  }
  make_ready(warp, gathering.arrived);
  gathering.arrived = 0;
  std::memset(gathering.lanes, 0, sizeof gathering.lanes);
}

/// The one of this mask, else one that nobody is in.
Gathering& gathering_of(Warp& warp, uint32_t mask) {
  Gathering* unused = nullptr;
  for (int i = 0; i < warp.masks; ++i) {
    Gathering& gathering = warp.gatherings[i];
    if (gathering.mask == mask) return gathering;
    if (gathering.arrived == 0) unused = &gathering;
  }
  if (!unused) unused = &warp.gatherings[warp.masks++];
  unused->mask = mask;
  return *unused;
}

}  // namespace

void leave_collectives() {
  const int thread = position.linear, warp_index = thread / 32;
  if (const int copies = copies_used ? copies_in_flight(thread) : 0) {
    fail(state.launch->site, "ends while %d of its asynchronous copies are on their way: wait for all of them", copies);
  }
  Warp& warp = state.warps[warp_index];
  warp.live &= ~(1u << thread % 32);
  --state.live;
  for (int i = 0; i < warp.masks; ++i) {
    Gathering& gathering = warp.gatherings[i];
    if (gathering.arrived && gathering.arrived == (gathering.mask & warp.live)) end_gathering(warp_index, gathering);
  }
  if (state.at_barrier > 0 && state.at_barrier == state.live) end_barrier();
}

Votes block_barrier(const char* name, Site site, bool vote) {
  const int thread = position.linear;
  Warp& warp = state.warps[thread / 32];
  static int first;  // to arrive
  if (state.at_barrier == 0) {
    first = thread;
  } else if (const Waiting& other = state.waiting[first]; !same(other.site, site)) {
    fail(site, "threads of a block are at different barriers: this one in %s, thread %d in %s at %s:%d", name, first,
         other.name, base_name(other.site.file), other.site.line);
  }
  state.votes += vote;
  ++state.at_barrier;
  warp.at_barrier |= 1u << thread % 32;
  char* const point = &state.order_points[2 + state.barriers % 2];
  publish(point);
  if (state.at_barrier == state.live) {
    end_barrier();
    stay_running(thread / 32, 1u << thread % 32);
  } else {
    wait(name, site, 0);
  }
  observe(point);
  return state.outcome;
}

void warp_collective(const char* name, uint32_t mask, void* mine, Finish finish, Site site) {
  const int thread = position.linear, lane = thread % 32;
  Warp& warp = state.warps[thread / 32];
  if (!(mask >> lane & 1u)) fail(site, "%s: lane %d is not in its own mask 0x%08x", name, lane, mask);

  Gathering& gathering = gathering_of(warp, mask);
  if (gathering.arrived == 0) {
    gathering.finish = finish;
    gathering.name = name;
    gathering.site = site;
  } else if (!same(gathering.site, site) || (gathering.name != name && std::strcmp(gathering.name, name) != 0)) {
    fail(site, "lanes of a warp are in different collectives: lane %d in %s, others in %s at %s:%d", lane, name,
         gathering.name, base_name(gathering.site.file), gathering.site.line);
  }
  gathering.lanes[lane] = mine;
  gathering.arrived |= 1u << lane;
  if (gathering.arrived == (mask & warp.live)) {
    end_gathering(thread / 32, gathering);
    stay_running(thread / 32, 1u << lane);
  } else {
    wait(name, site, mask);
  }
}

void warp_barrier(uint32_t mask, Site site) {
  void* const point = &state.warps[position.linear / 32];
  publish(point);
  warp_collective("__syncwarp", mask, nullptr, [](void* const(&)[32], Site) {}, site);
  observe(point);
}

uint32_t live_lanes() { return state.warps[position.linear / 32].live; }

}  // namespace downhill::cuda::simt
