// Launches: limits of the hardware, memory of the blocks, and the blocks one after another.
#include <algorithm>
#include <cstdlib>
#include <cstring>
#include <mutex>
#include <new>
#include <numeric>
#include <string>

#include "backend/cuda/plugin/error.h"
#include "backend/cuda/simt/block_copies.h"
#include "backend/cuda/simt/failures.h"
#include "backend/cuda/simt/memory.h"
#include "backend/cuda/simt/sanitizers.h"
#include "backend/cuda/simt/threads.h"

namespace downhill::cuda::simt {

Position position;

namespace {

constexpr size_t kMaxShared = 227 * 1024;

thread_local bool inside_kernel = false;

Order order_wanted() {
  const char* text = std::getenv("DOWNHILL_SIMT_ORDER");
  if (!text || !*text || std::strcmp(text, "forward") == 0) return Order::forward;
  if (std::strcmp(text, "reverse") == 0) return Order::reverse;
  if (std::strcmp(text, "shuffle") == 0) return Order::shuffle;
  throw LaunchError(std::string("[simt] DOWNHILL_SIMT_ORDER must be forward, reverse or shuffle, received ") + text);
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

uint32_t lanes_of(int threads, int warp) {
  const int count = std::min(32, threads - warp * 32);
  return count == 32 ? 0xffffffffu : (1u << count) - 1;
}

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
  abandon_fibers();
  for (auto& warp : state.warps) {
    warp.live = warp.ready = warp.at_barrier = 0;
    for (auto& gathering : warp.gatherings) gathering = {};
    warp.masks = 0;
  }
  state.at_barrier = state.votes = 0;
  state.failed = state.stuck = false;
}

[[noreturn]] void throw_failure() {
  const std::string text = describe_failure();
  abandon_block();
  throw LaunchError(text);
}

void run_block(DynamicShared& shared) {
  shared.fill();
  start_block();
  run_threads();
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

  prepare_fibers();
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
