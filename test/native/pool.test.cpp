// The thread pool: every chunk runs exactly once and its writes are seen, whatever the callers and thread counts do.
#include "backend/cpu/pool.h"

#include <atomic>
#include <chrono>
#include <cstdint>
#include <thread>
#include <vector>

#include "check.h"
#include "core/denormals.h"

using downhill::cpu::default_threads;
using downhill::cpu::parallel_for;
using downhill::cpu::parallel_for_brief;
using downhill::cpu::set_threads;
using downhill::cpu::threads;

namespace {

/// Plain ints on purpose: a lost or doubled chunk shows as a wrong count, a missing happens-before as a race under
/// TSan.
bool each_once(int64_t chunks) {
  std::vector<int> hits(static_cast<size_t>(chunks), 0);
  parallel_for(chunks, [&](int64_t i) { hits[static_cast<size_t>(i)] += 1; });
  for (int hit : hits)
    if (hit != 1) return false;
  return true;
}

void counts() {
  for (int team : {1, 2, 3, 4, 7}) {
    set_threads(team);
    CHECK(threads() == team);
    for (int64_t chunks : {0, 1, 2, 3, 5, 31, 64, 65, 257, 1000, 4099, 65535, 65536, 70001, 200003})
      CHECK(each_once(chunks));
  }
  set_threads(0);
  CHECK(threads() == 1);
  set_threads(100000);
  CHECK(threads() == 1024);
  set_threads(2);
  CHECK(default_threads() >= 1);
}

void many_regions() {
  set_threads(3);
  int64_t total = 0;
  for (int64_t region = 0; region < 20000; ++region) {
    int64_t part[5] = {};  // a new stack frame for each region: a late worker would write into a dead one
    parallel_for(5, [&](int64_t i) { part[i] = region + i; });
    for (int64_t value : part) total += value;
  }
  CHECK(total == int64_t{5} * 20000 * 19999 / 2 + int64_t{10} * 20000);
}

void sleeping_workers() {
  set_threads(2);
  for (int i = 0; i < 40; ++i) {
    std::this_thread::sleep_for(std::chrono::microseconds(i * 20));  // around the moment when workers fall asleep
    CHECK(each_once(9));
  }
}

/// Few brief chunks are the caller's alone while a thread sleeps; many are shared.
void brief_chunks() {
  set_threads(2);
  for (const int64_t chunks : {0, 1, 3, 4, 50}) {
    parallel_for(8, [](int64_t) {});  // starts the threads, if there are none
    for (int i = 0; i < 2000 && !downhill::cpu::any_sleeps(); ++i)
      std::this_thread::sleep_for(std::chrono::milliseconds(1));
    CHECK(downhill::cpu::any_sleeps());
    std::vector<std::thread::id> by(static_cast<size_t>(chunks));
    std::vector<int> hits(static_cast<size_t>(chunks), 0);
    parallel_for_brief(chunks, [&](int64_t i) {
      hits[static_cast<size_t>(i)] += 1;
      by[static_cast<size_t>(i)] = std::this_thread::get_id();
    });
    for (size_t i = 0; i < hits.size(); ++i)
      CHECK(hits[i] == 1 && (chunks >= 4 || by[i] == std::this_thread::get_id()));
  }
}

void both_threads_work() {
  set_threads(2);
  std::atomic<int> arrived{0};
  const auto limit = std::chrono::steady_clock::now() + std::chrono::seconds(20);
  parallel_for(2, [&](int64_t) {
    ++arrived;
    while (arrived.load() < 2 && std::chrono::steady_clock::now() < limit) std::this_thread::yield();
  });
  CHECK(arrived.load() == 2);
  CHECK(std::chrono::steady_clock::now() < limit);
}

/// A region keeps denormals, or takes them for 0, as its caller does: on every thread, also after the other kind.
void denormals() {
  set_threads(2);
  const volatile float least_normal = 1.17549435e-38F, half = 0.5F;
  const auto limit = std::chrono::steady_clock::now() + std::chrono::seconds(20);
  for (const bool flush : {false, true, true, false, true, false}) {
    const downhill::FlushDenormals scope(flush);
    std::atomic<int> arrived{0};
    float product[2] = {-1, -1};
    bool operand[2] = {};
    parallel_for(2, [&](int64_t i) {
      product[i] = least_normal * half;
      const volatile float denormal = 1e-40F;
      operand[i] = denormal * 1e30F == 0;
      ++arrived;
      while (arrived.load() < 2 && std::chrono::steady_clock::now() < limit) std::this_thread::yield();  // one each
    });
    for (int i = 0; i < 2; ++i) CHECK((product[i] == 0) == flush && operand[i] == flush, "thread %d", i);
  }
  CHECK(least_normal * half != 0, "a scope's end restores");
}

/// Whoever has one long chunk, others do all the rest, of that thread's range too.
void ranges_are_shared() {
  set_threads(2);
  for (const int64_t slow : {0, 31, 32, 63}) {
    std::atomic<int> others{0};
    const auto limit = std::chrono::steady_clock::now() + std::chrono::seconds(20);
    parallel_for(64, [&](int64_t i) {
      if (i != slow) {
        ++others;
        return;
      }
      while (others.load() < 63 && std::chrono::steady_clock::now() < limit) std::this_thread::yield();
    });
    CHECK(others.load() == 63);
    CHECK(std::chrono::steady_clock::now() < limit, "chunk %ld", static_cast<long>(slow));
  }
}

void nested() {
  set_threads(3);
  std::vector<int> hits(17 * 23, 0);
  parallel_for(17,
               [&](int64_t i) { parallel_for(23, [&](int64_t j) { hits[static_cast<size_t>(i * 23 + j)] += 1; }); });
  for (int hit : hits) CHECK(hit == 1);
  parallel_for(4, [&](int64_t i) { set_threads(2 + static_cast<int>(i % 2)); });  // allowed; takes effect later
  CHECK(each_once(100));
}

void concurrent_callers_and_resizes() {
  std::atomic<bool> stop{false};
  std::atomic<int> bad{0};
  std::vector<std::thread> callers;
  for (int c = 0; c < 3; ++c)
    callers.emplace_back([&, c] {
      for (int64_t i = 0; i < 1500; ++i)
        if (!each_once(1 + (i * 37 + c * 11) % 90)) ++bad;
    });
  std::thread resizer([&] {
    for (int i = 0; !stop.load(); ++i) {
      set_threads(1 + i % 4);
      std::this_thread::sleep_for(std::chrono::microseconds(200));
    }
  });
  for (std::thread& caller : callers) caller.join();
  stop = true;
  resizer.join();
  CHECK(bad.load() == 0);
}

}  // namespace

int main() {
  counts();
  many_regions();
  sleeping_workers();
  brief_chunks();
  both_threads_work();
  denormals();
  ranges_are_shared();
  nested();
  concurrent_callers_and_resizes();
  return downhill::test::report("pool");
}
