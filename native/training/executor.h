// Native threads that run queued jobs, so that JavaScript's thread never computes for long.
#pragma once
#include <functional>

namespace downhill {

/// Short jobs do not wait behind training: each lane has threads of its own.
enum class Lane {
  training,  // stretches of training steps: run side by side
  compute,   // predictions, evaluations, single programs: those of one owner run one after the other, in order
  files,     // reads and writes of files: side by side
};

using Job = std::function<void()>;

/// One per process, with at most max(1, cpu::threads()) threads per lane as of the first job (4 for files), started
/// when needed. All functions may be called from any thread, also from jobs (but for wait).
namespace executor {

/// Queues a job for an owner (an opaque pointer, such as a JavaScript environment's data). Exceptions of a job are
/// dropped: it reports its own. Throws INTERNAL when no thread can be started.
void submit(Lane lane, const void* owner, Job job);

/// Drops the owner's queued jobs (destroying them on the caller's thread) and returns how many; running ones go on.
int cancel(const void* owner);

/// Returns when no job of this owner is queued or running.
void wait(const void* owner);

/// Threads started so far.
int threads();

}  // namespace executor

}  // namespace downhill
