// Runs the threads of a block: each is a fiber that runs until it has to wait for others. One kernel runs at a time in
// the process, its blocks one after another, on the host thread that launches it.
//
// Warps are greedy: one runs until all its threads wait or have ended before the next one may. A barrier that is
// missing therefore gives wrong results instead of passing by luck. DOWNHILL_SIMT_ORDER=forward (default), reverse or
// shuffle: the order of blocks, warps and lanes.
#pragma once
#include <cstdint>

#include "backend/cuda/simt/language.h"

namespace downhill::cuda::simt {

/// A place in the source. As a default argument, Site::here() is the caller's.
struct Site {
  const char* file;
  int line;
  static constexpr Site here(const char* file = __builtin_FILE(), int line = __builtin_LINE()) { return {file, line}; }
};

/// Of the running thread.
struct Position {
  uint3 thread, block;
  dim3 block_size, grid_size;
  int linear;  // the thread's number in its block; its lane is linear % 32
};
extern Position position;

struct Launch {
  dim3 blocks, threads;
  size_t shared_bytes;
  const void* kernel;
  const char* launcher;  // the function that launches it
  Site site;
};
/// Calls body(context) once per thread. Throws LaunchError (plugin/error.h) when the launch breaks a limit of the
/// hardware, or a thread a rule; memory may have been written by then, and the next launch works.
void run(const Launch& launch, void (*body)(void* context), void* context);

// -- from threads ------------------------------------------------------------------------------------------------

/// Ends the launch with an error that names kernel, block and thread. Nothing on the threads' stacks is destroyed:
/// what runs in them must not own memory.
[[noreturn]] void fail(Site site, const char* format, ...) __attribute__((format(printf, 2, 3)));

struct Votes {
  int count, threads;
};
/// Waits for all threads of the block that have not ended; votes is how many of them were for it.
Votes block_barrier(const char* name, Site site, bool vote = false);
void warp_barrier(uint32_t mask, Site site);

/// Waits until all lanes of the mask that have not ended are here; then the last one calls finish once with what the
/// lanes brought (null: not there) and all go on.
using Finish = void (*)(void* const (&lanes)[32], Site site);
void warp_collective(const char* name, uint32_t mask, void* mine, Finish finish, Site site);

uint32_t live_lanes();            // of this warp: those that have not ended
unsigned char* dynamic_shared();  // aligned to 128
/// In the block's dynamic shared memory, or in static memory of the kernel's library.
bool is_shared(const void* address, size_t bytes);

}  // namespace downhill::cuda::simt
