// What the emulator knows of the kernel that runs: its launch, the block, and how it went. Shared by the scheduler's
// files alone.
#pragma once
#include <cstdint>
#include <memory>
#include <mutex>
#include <type_traits>
#include <vector>

#include "backend/cuda/simt/fiber.h"
#include "backend/cuda/simt/modules.h"
#include "backend/cuda/simt/scheduler.h"

namespace downhill::cuda::simt {

constexpr int kMaxThreads = 1024, kMaxWarps = kMaxThreads / 32;

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
extern State state;  // nothing of it is ever destroyed: kernels may run while the process ends
static_assert(std::is_trivially_destructible_v<State>);

}  // namespace downhill::cuda::simt
