// The thread pool of the CPU backend: one per process, used by one parallel region at a time.
#pragma once
#include <cstdint>
#include <type_traits>

namespace downhill::cpu {

/// Runs fn(arg, chunk) for every chunk in [0, chunks) on the pool's threads and the caller, and returns when all are
/// done. Chunks must depend on shapes alone, never on the number of threads, so that results do not either. When
/// another thread is using the pool, the caller runs all chunks itself. Never throws, never allocates. A region started
/// inside a region runs on its caller. fn must not throw.
void parallel(int64_t chunks, void (*fn)(void* arg, int64_t chunk), void* arg);

/// Whether a thread of the pool waits for work asleep.
bool any_sleeps();

/// The same for a callable: parallel_for(n, [&](int64_t chunk) { … }). No allocation.
template <typename F>
void parallel_for(int64_t chunks, F&& body) {
  auto call = [](void* arg, int64_t chunk) { (*static_cast<std::remove_reference_t<F>*>(arg))(chunk); };
  parallel(chunks, +call, const_cast<void*>(static_cast<const void*>(&body)));
}

/// The same for chunks that take a few microseconds each: where there are few of them and a thread sleeps, which would
/// take longer to wake up, the caller does them alone.
template <typename F>
void parallel_for_brief(int64_t chunks, F&& body) {
  constexpr int64_t kFew = 4;
  if (chunks >= kFew || !any_sleeps()) return parallel_for(chunks, body);
  for (int64_t chunk = 0; chunk < chunks; ++chunk) body(chunk);
}

/// Number of threads used by a region, the caller included. By default the cores this process may use (affinity,
/// cgroup).
int threads();
void set_threads(int count);  // 1 … 1024; waits for a running region; also between two fits
int default_threads();

}  // namespace downhill::cpu
