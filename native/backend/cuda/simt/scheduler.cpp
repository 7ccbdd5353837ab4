#include "backend/cuda/simt/scheduler.h"

#include <algorithm>
#include <cstdarg>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <exception>
#include <memory>
#include <mutex>
#include <new>
#include <numeric>
#include <string>
#include <type_traits>
#include <vector>

#include "backend/cuda/plugin/error.h"
#include "backend/cuda/simt/block_copies.h"
#include "backend/cuda/simt/fiber.h"
#include "backend/cuda/simt/memory.h"
#include "backend/cuda/simt/modules.h"
#include "backend/cuda/simt/sanitizers.h"

namespace downhill::cuda::simt {

Position position;

namespace {

constexpr int kMaxThreads = 1024, kMaxWarps = kMaxThreads / 32;
constexpr size_t kMaxShared = 227 * 1024;

enum class Order { forward, reverse, shuffle };

/// Lanes of a warp on their way into a collective.
struct Gathering {
  uint32_t mask = 0, arrived = 0;
  void* lanes[32] = {};
  Finish finish = nullptr;
  const char* name = nullptr;
  Site site{};
};

struct Warp {
  uint32_t live = 0;         // lanes that have not ended
  uint32_t ready = 0;        // of these, those that may run
  uint32_t at_barrier = 0;   // and those that wait for the block
  int masks = 0;             // in use so far by this launch, or waiting for reuse
  Gathering gatherings[32];  // one per mask; no more than one per lane can be under way
};

/// What a thread waits for, for messages.
struct Waiting {
  const char* name;
  Site site;
  uint32_t mask;  // 0: the whole block
};

struct State {
  std::mutex mutex;  // held while a kernel runs

  // The launch.
  const Launch* launch = nullptr;
  void (*body)(void*) = nullptr;
  void* context = nullptr;
  const KernelInfo* kernel = nullptr;
  Order order = Order::forward;
  uint64_t random = 0x9e3779b97f4a7c15u;
  unsigned char* dynamic = nullptr;

  // The block.
  int threads = 0, live = 0;
  Warp warps[kMaxWarps];
  uint32_t ready_warps = 0;
  int warp = 0;  // the one that runs
  Waiting waiting[kMaxThreads];
  int at_barrier = 0, votes = 0;
  Votes outcome{};            // of the last barrier
  uint64_t barriers = 0;      // so far
  char order_points[4] = {};  // addresses for publish and observe: start, end, barriers by parity

  // Fibers: the host's, and those that threads run on.
  Fiber* host = nullptr;
  Fiber* running = nullptr;
  Fiber* fiber_of[kMaxThreads] = {};  // null: not started, or ended
  std::vector<std::unique_ptr<Fiber>>& fibers = *new std::vector<std::unique_ptr<Fiber>>;
  std::vector<Fiber*>& idle = *new std::vector<Fiber*>;

  // How it went.
  bool failed = false, stuck = false;
  char message[512] = {};
  Site site{};
};
State state;  // nothing of it is ever destroyed: kernels may run while the process ends
static_assert(std::is_trivially_destructible_v<State>);

thread_local bool inside_kernel = false;

uint32_t lanes_of(int threads, int warp) {
  const int count = std::min(32, threads - warp * 32);
  return count == 32 ? 0xffffffffu : (1u << count) - 1;
}

uint64_t random_bits() {  // xorshift64*
  uint64_t& x = state.random;
  x ^= x >> 12;
  x ^= x << 25;
  x ^= x >> 27;
  return x * 0x2545f4914f6cdd1du;
}

/// One of the set bits.
int pick(uint32_t bits) {
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

// -- who runs next -------------------------------------------------------------------------------------------------

void make_ready(int warp, uint32_t lanes) {
  state.warps[warp].ready |= lanes;
  if (state.warps[warp].ready) state.ready_warps |= 1u << warp;
}

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

[[noreturn]] void end_launch() {
  state.failed = true;
  IgnoreAccesses::end();
  publish(&state.order_points[1]);
  state.running->switch_to(*state.host);
  std::abort();  // a fiber that failed is never gone on with
}

[[noreturn]] void end_stuck_launch() {
  state.stuck = true;
  end_launch();
}

/// The running thread waits until it is made ready.
void wait(const char* name, Site site, uint32_t mask) {
  state.waiting[position.linear] = {name, site, mask};
  publish(&state.order_points[1]);  // in case that it is the last it does
  Fiber& mine = *state.running;
  const int next = next_thread();
  if (next < 0) end_stuck_launch();
  switch_to_thread(mine, next);
}

// -- barriers and collectives --------------------------------------------------------------------------------------

bool same(Site a, Site b) { return a.line == b.line && (a.file == b.file || std::strcmp(a.file, b.file) == 0); }

const char* base_name(const char* path) {
  const char* slash = std::strrchr(path, '/');
  return slash ? slash + 1 : path;
}

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

/// After the last one to arrive at something made all ready: it goes on itself.
void stay_running(int warp, uint32_t lane) {
  state.warps[warp].ready &= ~lane;
  if (!state.warps[warp].ready) state.ready_warps &= ~(1u << warp);
}

/// Those that wait no longer wait for this thread.
void end_thread() {
  const int thread = position.linear, warp_index = thread / 32;
  if (const int copies = copies_used ? copies_in_flight(thread) : 0) {
    fail(state.launch->site, "ends while %d of its asynchronous copies are on their way: wait for all of them", copies);
  }
  Warp& warp = state.warps[warp_index];
  warp.live &= ~(1u << thread % 32);
  --state.live;
  state.fiber_of[thread] = nullptr;
  for (int i = 0; i < warp.masks; ++i) {
    Gathering& gathering = warp.gatherings[i];
    if (gathering.arrived && gathering.arrived == (gathering.mask & warp.live)) end_gathering(warp_index, gathering);
  }
  if (state.at_barrier > 0 && state.at_barrier == state.live) end_barrier();
  publish(&state.order_points[1]);
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
    end_thread();

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

// -- launches ------------------------------------------------------------------------------------------------------

Order order_wanted() {
  const char* text = std::getenv("DOWNHILL_SIMT_ORDER");
  if (!text || !*text || std::strcmp(text, "forward") == 0) return Order::forward;
  if (std::strcmp(text, "reverse") == 0) return Order::reverse;
  if (std::strcmp(text, "shuffle") == 0) return Order::shuffle;
  throw LaunchError(std::string("[simt] DOWNHILL_SIMT_ORDER must be forward, reverse or shuffle, received ") + text);
}

std::string text_of(dim3 size) {
  return "(" + std::to_string(size.x) + ", " + std::to_string(size.y) + ", " + std::to_string(size.z) + ")";
}
std::string text_of(uint3 index) { return text_of(dim3(index.x, index.y, index.z)); }
std::string text_of(Site site) { return std::string(base_name(site.file)) + ":" + std::to_string(site.line); }
std::string launched_by(const Launch& launch) {
  return std::string("launched by ") + launch.launcher + " at " + text_of(launch.site);
}

void check_limits(const Launch& launch) {
  const auto wrong = [&](const std::string& what) { throw LaunchError("[simt] " + what + "; " + launched_by(launch)); };
  const dim3 blocks = launch.blocks, threads = launch.threads;
  if (inside_kernel) wrong("a kernel cannot launch kernels");
  if (blocks.x == 0 || blocks.y == 0 || blocks.z == 0 || blocks.x > 0x7fffffffu || blocks.y > 65535 ||
      blocks.z > 65535) {
    wrong("a grid must have 1 to (2147483647, 65535, 65535) blocks, received " + text_of(blocks));
  }
  const uint64_t count = uint64_t{threads.x} * threads.y * threads.z;
  if (threads.x > 1024 || threads.y > 1024 || threads.z > 64 || count < 1 || count > kMaxThreads) {
    wrong("a block must have 1 to 1024 threads, at most (1024, 1024, 64), received " + text_of(threads));
  }
  if (launch.shared_bytes > kMaxShared) {
    wrong("a block can have " + std::to_string(kMaxShared) + " bytes of shared memory, received " +
          std::to_string(launch.shared_bytes));
  }
}

/// Exactly as large as asked for, between guards (memory.h) or red zones.
class DynamicShared {
 public:
  explicit DynamicShared(size_t bytes) : bytes_(bytes) {
    void* memory = nullptr;
    if (posix_memalign(&memory, 128, kBefore + bytes + kAfter) != 0) throw std::bad_alloc();
    memory_ = static_cast<unsigned char*>(memory);
    if (kAfter == 0) return;
    set_guard(begin() - kGuard);
    set_guard(begin() + bytes_);
  }
  ~DynamicShared() { std::free(memory_); }
  DynamicShared(const DynamicShared&) = delete;
  DynamicShared& operator=(const DynamicShared&) = delete;
  unsigned char* begin() { return memory_ + kBefore; }
  void fill() { std::memset(begin(), 0xff, bytes_); }
  bool intact() { return kAfter == 0 || (guard_intact(begin() - kGuard) && guard_intact(begin() + bytes_)); }

 private:
#if DH_SIMT_ASAN
  static constexpr size_t kBefore = 0, kAfter = 0;
#else
  static constexpr size_t kBefore = 128, kAfter = kGuard;
#endif
  size_t bytes_;
  unsigned char* memory_;
};

void start_block() {
  state.live = state.threads;
  state.ready_warps = 0;
  for (int warp = 0; warp * 32 < state.threads; ++warp) {
    state.warps[warp].live = lanes_of(state.threads, warp);
    make_ready(warp, state.warps[warp].live);
  }
  state.warp = pick(state.ready_warps);
  if (copies_used) forget_copies();
  for (const auto& variable : state.kernel->shared) std::memset(variable.at, 0xff, variable.size);
  publish(&state.order_points[0]);
}

/// Leaves no trace of a block that failed.
void abandon_block() {
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
  for (auto& warp : state.warps) {
    warp.live = warp.ready = warp.at_barrier = 0;
    for (auto& gathering : warp.gatherings) gathering = {};
    warp.masks = 0;
  }
  state.at_barrier = state.votes = 0;
  state.failed = state.stuck = false;
}

/// Who waits where, by place.
std::string describe_waiting() {
  struct Place {
    Waiting at;
    int threads;
  };
  std::vector<Place> places;
  for (int thread = 0; thread < state.threads; ++thread) {
    if (!(state.warps[thread / 32].live >> thread % 32 & 1u)) continue;
    const Waiting& at = state.waiting[thread];
    auto known = std::find_if(places.begin(), places.end(), [&](const Place& place) {
      return place.at.mask == at.mask && same(place.at.site, at.site);
    });
    if (known == places.end()) known = places.insert(known, {at, 0});
    ++known->threads;
  }
  std::string text = "threads wait for others that never come: ";
  for (size_t i = 0; i < places.size() && i < 6; ++i) {
    const Waiting& at = places[i].at;
    char mask[32] = "";
    if (at.mask) std::snprintf(mask, sizeof mask, " with mask 0x%08x", at.mask);
    text += (i ? ", " : "") + std::to_string(places[i].threads) + " in " + at.name + mask + " at " + text_of(at.site);
  }
  return text + (places.size() > 6 ? ", …" : "");
}

std::string describe_failure() {
  std::string text = "[simt] " + state.kernel->name + ", block " + text_of(position.block);
  if (state.stuck) return text + ": " + describe_waiting() + "; " + launched_by(*state.launch);
  return text + ", thread " + text_of(position.thread) + ": " + state.message + "; at " + text_of(state.site) + ", " +
         launched_by(*state.launch);
}

[[noreturn]] void throw_failure() {
  const std::string text = describe_failure();
  abandon_block();
  throw LaunchError(text);
}

void run_block(DynamicShared& shared) {
  shared.fill();
  start_block();
  switch_to_thread(*state.host, next_thread());
  observe(&state.order_points[1]);
  if (state.failed) throw_failure();
  if (!shared.intact()) {
    throw LaunchError("[simt] " + state.kernel->name + ", block " + text_of(position.block) +
                      ": wrote before or behind its " + std::to_string(state.launch->shared_bytes) +
                      " bytes of dynamic shared memory; " + launched_by(*state.launch));
  }
}

/// The numbers 0 … count - 1, each once: first + step · i mod count.
struct BlockOrder {
  uint64_t first, step;
  BlockOrder(Order order, uint64_t count) : first(order == Order::reverse ? count - 1 : 0), step(1) {
    if (order == Order::reverse) step = count - 1;
    if (order != Order::shuffle) return;
    first = random_bits() % count;
    do step = random_bits() % count;
    while (std::gcd(step, count) != 1);
  }
};

class Running {
 public:
  Running(Fiber& host, unsigned char* dynamic) {
    state.host = &host;
    state.dynamic = dynamic;
    inside_kernel = true;
  }
  ~Running() {
    state.host = nullptr;
    state.dynamic = nullptr;
    inside_kernel = false;
  }
  Running(const Running&) = delete;
  Running& operator=(const Running&) = delete;
};

}  // namespace

void run(const Launch& launch, void (*body)(void* context), void* context) {
  check_limits(launch);
  const std::lock_guard lock(state.mutex);
  state.launch = &launch;
  state.body = body;
  state.context = context;
  state.kernel = &kernel_info(launch.kernel);
  state.order = order_wanted();
  state.threads = static_cast<int>(launch.threads.x * launch.threads.y * launch.threads.z);
  position.block_size = launch.threads;
  position.grid_size = launch.blocks;

#if DH_SIMT_TSAN
  while (static_cast<int>(state.fibers.size()) < state.threads) {
    state.fibers.push_back(std::make_unique<Fiber>(thread_fiber));
  }
#endif
  Fiber host;
  DynamicShared shared(launch.shared_bytes);
  const Running running(host, shared.begin());
  const uint64_t count = uint64_t{launch.blocks.x} * launch.blocks.y * launch.blocks.z;
  const BlockOrder order(state.order, count);
  uint64_t block = order.first;
  for (uint64_t i = 0; i < count; ++i, block = (block + order.step) % count) {
    position.block = {static_cast<unsigned>(block % launch.blocks.x),
                      static_cast<unsigned>(block / launch.blocks.x % launch.blocks.y),
                      static_cast<unsigned>(block / launch.blocks.x / launch.blocks.y)};
    run_block(shared);
  }
  const std::string damage = damaged_guards();
  if (!damage.empty()) throw LaunchError("[simt] " + state.kernel->name + ": " + damage + "; " + launched_by(launch));
}

void fail(Site site, const char* format, ...) {
  va_list arguments;
  va_start(arguments, format);
  std::vsnprintf(state.message, sizeof state.message, format, arguments);
  va_end(arguments);
  state.site = site;
  end_launch();
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

unsigned char* dynamic_shared() { return state.dynamic; }

bool is_shared(const void* address, size_t bytes) {
  const auto at = reinterpret_cast<uintptr_t>(address);
  const auto inside = [&](const void* begin, const void* end) {
    return at >= reinterpret_cast<uintptr_t>(begin) && bytes <= reinterpret_cast<uintptr_t>(end) - at &&
           at < reinterpret_cast<uintptr_t>(end);
  };
  return inside(state.dynamic, state.dynamic + state.launch->shared_bytes) ||
         inside(state.kernel->data_begin, state.kernel->data_end);
}

}  // namespace downhill::cuda::simt
