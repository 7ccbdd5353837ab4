// A region's chunks are dealt to the threads in ranges, always in the same order, so that a thread finds in its own
// cache what it wrote in the region before; who has finished takes from the ends of the others' ranges. A range is one
// 64-bit word: generation (32 bits) | next group (16) | end (16). A claim is one compare-and-swap of the whole word, so
// it can only succeed for the region that is running.
#include "backend/cpu/pool.h"

#include <algorithm>
#include <atomic>
#include <chrono>
#include <condition_variable>
#include <mutex>
#include <system_error>
#include <thread>
#include <vector>

#include "backend/cpu/idle.h"
#include "core/denormals.h"

#if defined(__unix__) || defined(__APPLE__)
#include <pthread.h>
#include <signal.h>
#endif
#if defined(__x86_64__)
#include <immintrin.h>
#endif

namespace downhill::cpu {
namespace {

constexpr int kMaxThreads = 1024;
constexpr int64_t kMaxGroups = 0xffff;
constexpr int64_t kGroupsPerThread = 32;  // even enough for balance, few enough that claims cost nothing
constexpr size_t kNone = ~size_t{0};
constexpr auto kSpin = std::chrono::microseconds(40);

thread_local bool inside_region = false;

void relax() {
#if defined(__x86_64__)
  _mm_pause();
#elif defined(__aarch64__)
  asm volatile("yield");
#endif
}

/// What is on offer as one word, so that nobody is at work that has gone: its address (48 bits, aligned to 64), whether
/// it is closed, being withdrawn or without pieces left, and how many threads are at it. 0: nothing.
struct Offer {
  static constexpr int kCountBits = 21;
  static constexpr uint64_t kClosed = uint64_t{1} << kCountBits, kCount = kClosed - 1;
  static uint64_t of(const IdleWork& work) { return reinterpret_cast<uint64_t>(&work) / 64 << (kCountBits + 1); }
  static IdleWork* work(uint64_t word) { return reinterpret_cast<IdleWork*>((word >> (kCountBits + 1)) * 64); }
  static bool is_over(uint64_t word) { return (word & kClosed) && (word & kCount) == 0; }
};

class Pool {
 public:
  Pool() : wanted_(default_threads()), cores_(wanted_.load()) {}

  bool any_sleeps() const { return asleep_.load(std::memory_order_relaxed) > 0; }

  int threads() const { return wanted_.load(std::memory_order_relaxed); }

  void set_threads(int count) {
    wanted_.store(std::clamp(count, 1, kMaxThreads));
    if (inside_region) return;  // the next region sees it
    std::lock_guard<std::mutex> own(owner_);
    if (workers_.size() != workers_wanted()) end_workers();  // the next region starts what it needs
  }

  void run(int64_t chunks, void (*fn)(void*, int64_t), void* arg) {
    if (chunks <= 1 || inside_region || threads() == 1 || !owner_.try_lock()) {
      for (int64_t chunk = 0; chunk < chunks; ++chunk) fn(arg, chunk);
      return;
    }
    std::lock_guard<std::mutex> own(owner_, std::adopt_lock);
    resize();
    const int64_t team = static_cast<int64_t>(workers_.size()) + 1;
    const int64_t per_group = std::max((chunks + kMaxGroups - 1) / kMaxGroups, chunks / (team * kGroupsPerThread));
    const int64_t size = std::max<int64_t>(1, per_group);
    const uint64_t groups = static_cast<uint64_t>((chunks + size - 1) / size);
    // Plain writes: every reader of the last region has counted its groups done, and the next one reads after a claim
    // below.
    fn_ = fn;
    arg_ = arg;
    mode_ = denormal_mode();
    chunks_ = chunks;
    group_size_ = size;
    done_.store(0, std::memory_order_relaxed);
    const uint64_t generation = region_.load(std::memory_order_relaxed) + 1;
    const uint64_t parts = std::min(static_cast<uint64_t>(team), groups);
    for (uint64_t i = 0; i < parts; ++i)
      ranges_[i].word.store(generation << 32 | groups * i / parts << 16 | groups * (i + 1) / parts,
                            std::memory_order_release);
    region_.store(generation, std::memory_order_seq_cst);
    if (asleep_.load(std::memory_order_seq_cst) > 0) {
      {
        std::lock_guard<std::mutex> lock(sleep_);
      }
      wake_.notify_all();
    }
    inside_region = true;
    work_in_region(0);
    inside_region = false;
    // Only groups that a worker has claimed are outstanding here.
    const auto over = [&] { return done_.load(std::memory_order_acquire) == groups; };
    for (int spins = 0; !over(); ++spins) {
      if (oversubscribed() || spins > 4000) std::this_thread::yield();
      relax();
      if (!oversubscribed()) help(over);
    }
  }

  bool offer(IdleWork& work) {
    const uint64_t own = Offer::of(work);
    if (threads() == 1 || Offer::work(own) != &work) return false;
    uint64_t word = offer_.load(std::memory_order_relaxed);
    do {
      if (word != 0 && !Offer::is_over(word)) return false;
    } while (!offer_.compare_exchange_weak(word, own, std::memory_order_acq_rel, std::memory_order_relaxed));
    return true;
  }

  /// All changes of the word are exchanges, so whichever is seen at the end comes after what helpers did.
  void withdraw(IdleWork& work) {
    for (uint64_t word = offer_.load(std::memory_order_acquire); Offer::work(word) == &work;) {
      if (Offer::is_over(word)) {
        if (offer_.compare_exchange_weak(word, 0, std::memory_order_acq_rel, std::memory_order_acquire)) return;
        continue;
      }
      if (!(word & Offer::kClosed) &&  // another's offer, made since, stays open
          !offer_.compare_exchange_weak(word, word | Offer::kClosed, std::memory_order_acq_rel,
                                        std::memory_order_acquire))
        continue;
      relax();
      word = offer_.load(std::memory_order_acquire);
    }
  }

 private:
  bool oversubscribed() const { return static_cast<int>(workers_.size()) + 1 > cores_; }

  /// Claims a group of a range and runs it; false when none is left. The fields of the region are read only after a
  /// claim has succeeded: they cannot change before this group is counted done.
  bool work_once(std::atomic<uint64_t>& range, bool own) {
    uint64_t word = range.load(std::memory_order_acquire), next, end;
    do {
      next = word >> 16 & 0xffff, end = word & 0xffff;
      if (next >= end) return false;
    } while (!range.compare_exchange_weak(word, own ? word + 0x10000 : word - 1, std::memory_order_acq_rel,
                                          std::memory_order_acquire));
    const int64_t first = static_cast<int64_t>(own ? next : end - 1) * group_size_;
    const int64_t last = std::min(first + group_size_, chunks_);
    if (denormal_mode() != mode_) set_denormal_mode(mode_);  // a worker's stays until another region asks
    for (int64_t chunk = first; chunk < last; ++chunk) fn_(arg_, chunk);
    return true;
  }

  /// All that is left for this thread. No region gets further groups, so one look at every range is enough.
  void work_in_region(size_t self) {
    uint64_t done = 0;  // all of one region: it cannot end before they are counted
    for (size_t i = 0; i < ranges_.size(); ++i) {
      Range& range = ranges_[(self + i) % ranges_.size()];
      while (work_once(range.word, i == 0)) ++done;
    }
    if (done > 0) done_.fetch_add(done, std::memory_order_release);
  }

  /// Pieces of what is on offer until `over` or none is left.
  template <typename Over>
  void help(const Over& over) {
    uint64_t word = offer_.load(std::memory_order_relaxed);
    do {
      if (word == 0 || (word & Offer::kClosed)) return;
    } while (!offer_.compare_exchange_weak(word, word + 1, std::memory_order_acq_rel, std::memory_order_relaxed));
    IdleWork* const work = Offer::work(word);
    const uint64_t mode = denormal_mode();
    if (mode) set_denormal_mode(0);
    bool left = true;
    while (left && !over() && !(offer_.load(std::memory_order_relaxed) & Offer::kClosed)) left = work->piece();
    if (mode) set_denormal_mode(mode);
    if (!left) offer_.fetch_or(Offer::kClosed, std::memory_order_relaxed);
    offer_.fetch_sub(1, std::memory_order_release);
  }

  /// Waits for a region after `seen`: first spinning, then asleep. False when the thread must end.
  bool wait(uint64_t seen, bool spin) {
    const auto open = [&] { return region_.load(std::memory_order_seq_cst) != seen; };
    if (spin) {
      const auto deadline = std::chrono::steady_clock::now() + kSpin;
      do {
        for (int i = 0; i < 16; ++i) {
          if (open()) return true;
          relax();
        }
        help(open);
      } while (!stop_.load(std::memory_order_relaxed) && std::chrono::steady_clock::now() < deadline);
    } else {
      for (int i = 0; i < 4; ++i) {
        if (open()) return true;
        std::this_thread::yield();
      }
    }
    std::unique_lock<std::mutex> lock(sleep_);
    asleep_.fetch_add(1, std::memory_order_seq_cst);
    wake_.wait(lock, [&] { return open() || stop_.load(std::memory_order_relaxed); });
    asleep_.fetch_sub(1, std::memory_order_relaxed);
    return !stop_.load(std::memory_order_relaxed);
  }

  void work(size_t self, uint64_t seen, bool spin) {
    inside_region = true;
    while (wait(seen, spin)) {
      seen = region_.load(std::memory_order_acquire);
      work_in_region(self);
    }
  }

  size_t workers_wanted() const { return static_cast<size_t>(threads()) - 1; }

  // Both are called by the owner of the pool, so no region runs.
  void end_workers() {
    stop_.store(true);
    {
      std::lock_guard<std::mutex> lock(sleep_);
    }
    wake_.notify_all();
    for (std::thread& worker : workers_) worker.join();
    workers_.clear();
    stop_.store(false);
  }

  void resize() {
    const size_t count = workers_wanted();
    if (workers_.size() == count || failed_ == count) return;
    end_workers();
    failed_ = kNone;
    const bool spin = static_cast<int>(count) + 1 <= cores_;
#if defined(__unix__) || defined(__APPLE__)
    sigset_t all, before;  // signals belong to the host's threads
    sigfillset(&all);
    pthread_sigmask(SIG_SETMASK, &all, &before);
#endif
    try {
      workers_.reserve(count);
      ranges_ = std::vector<Range>(count + 1);
      const uint64_t seen = region_.load(std::memory_order_relaxed);
      while (workers_.size() < count) {
        const size_t self = workers_.size() + 1;
        workers_.emplace_back([this, self, seen, spin] { work(self, seen, spin); });
      }
    } catch (...) {
      failed_ = count;  // the system gives no more threads: go on with these
    }
#if defined(__unix__) || defined(__APPLE__)
    pthread_sigmask(SIG_SETMASK, &before, nullptr);
#endif
  }

  struct alignas(64) Range {
    std::atomic<uint64_t> word{0};
  };

  std::mutex owner_;
  std::atomic<int> wanted_;
  const int cores_;
  std::vector<std::thread> workers_;
  std::vector<Range> ranges_ = std::vector<Range>(1);  // by thread, the caller's first
  size_t failed_ = kNone;  // the count that could not be reached, so that every region does not try again

  void (*fn_)(void*, int64_t) = nullptr;
  void* arg_ = nullptr;
  uint64_t mode_ = 0;  // of denormals: the caller's
  int64_t chunks_ = 0;
  int64_t group_size_ = 1;

  alignas(64) std::atomic<uint64_t> region_{0};  // generation of the latest
  alignas(64) std::atomic<uint64_t> done_{0};
  alignas(64) std::atomic<int> asleep_{0};
  alignas(64) std::atomic<uint64_t> offer_{0};
  std::atomic<bool> stop_{false};
  std::mutex sleep_;
  std::condition_variable wake_;
};

/// Never destroyed: workers may still sleep in it while the process exits.
Pool& pool() {
  static Pool* const instance = new Pool;
  return *instance;
}

}  // namespace

void parallel(int64_t chunks, void (*fn)(void* arg, int64_t chunk), void* arg) { pool().run(chunks, fn, arg); }
bool any_sleeps() { return pool().any_sleeps(); }
bool offer(IdleWork& work) { return pool().offer(work); }
void withdraw(IdleWork& work) { pool().withdraw(work); }
int threads() { return pool().threads(); }
void set_threads(int count) { pool().set_threads(count); }

}  // namespace downhill::cpu
