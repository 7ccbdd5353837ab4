#include "training/executor.h"

#include <algorithm>
#include <condition_variable>
#include <deque>
#include <iterator>
#include <mutex>
#include <system_error>
#include <thread>
#include <vector>

#include "backend/cpu/pool.h"
#include "core/error.h"

namespace downhill::executor {

namespace {

struct Item {
  const void* owner;
  Job job;
};

class Queue {
 public:
  /// `ordered`: jobs of one owner never overlap. `limit`: most threads; 0: as many as compute.
  explicit Queue(bool ordered, int limit = 0) : ordered_(ordered), limit_(limit) {}

  void submit(const void* owner, Job job) {
    const std::lock_guard<std::mutex> lock(mutex_);
    if (limit_ == 0) limit_ = std::max(1, cpu::threads());
    waiting_.push_back({owner, std::move(job)});
    if (idle_ < static_cast<int>(waiting_.size()) && started_ < limit_) start();
    work_.notify_one();
  }

  int cancel(const void* owner) {
    std::deque<Item> dropped;  // destroyed outside the lock
    {
      const std::lock_guard<std::mutex> lock(mutex_);
      const auto mine = std::stable_partition(waiting_.begin(), waiting_.end(),
                                              [&](const Item& item) { return item.owner != owner; });
      std::move(mine, waiting_.end(), std::back_inserter(dropped));
      waiting_.erase(mine, waiting_.end());
    }
    finished_.notify_all();
    return static_cast<int>(dropped.size());
  }

  void wait(const void* owner) {
    std::unique_lock<std::mutex> lock(mutex_);
    finished_.wait(lock, [&] {
      return !runs(owner) &&
             std::none_of(waiting_.begin(), waiting_.end(), [&](const Item& item) { return item.owner == owner; });
    });
  }

  int threads() {
    const std::lock_guard<std::mutex> lock(mutex_);
    return started_;
  }

 private:
  bool runs(const void* owner) const { return std::find(running_.begin(), running_.end(), owner) != running_.end(); }

  void start() {
    try {
      std::thread([this] { work(); }).detach();
      ++started_;
    } catch (const std::system_error& error) {
      if (started_ > 0) return;  // the threads there are get to it
      waiting_.pop_back();
      throw Error(code::kInternal, std::string("Cannot start a native thread: ") + error.what() +
                                       ". Raise the limit of threads of this process.");
    }
  }

  std::deque<Item>::iterator next() {
    return std::find_if(waiting_.begin(), waiting_.end(),
                        [&](const Item& item) { return !ordered_ || !runs(item.owner); });
  }

  void work() {
    std::unique_lock<std::mutex> lock(mutex_);
    for (;;) {
      ++idle_;
      std::deque<Item>::iterator at;
      work_.wait(lock, [&] { return (at = next()) != waiting_.end(); });
      --idle_;
      Item item = std::move(*at);
      waiting_.erase(at);
      running_.push_back(item.owner);
      lock.unlock();
      try {
        item.job();
      } catch (...) {
      }
      item.job = nullptr;  // what it captured goes before the owner is told
      lock.lock();
      running_.erase(std::find(running_.begin(), running_.end(), item.owner));
      finished_.notify_all();
      if (ordered_) work_.notify_one();  // a job of this owner may have been waiting for this one
    }
  }

  const bool ordered_;
  std::mutex mutex_;
  std::condition_variable work_, finished_;
  std::deque<Item> waiting_;
  std::vector<const void*> running_;
  int idle_ = 0, started_ = 0, limit_;
};

constexpr Lane kLanes[] = {Lane::training, Lane::compute, Lane::files};

/// Never destroyed: its threads end with the process.
Queue& queue(Lane lane) {
  static Queue* const training = new Queue(false);
  static Queue* const compute = new Queue(true);
  static Queue* const files = new Queue(false, 4);
  switch (lane) {
    case Lane::training:
      return *training;
    case Lane::compute:
      return *compute;
    default:
      return *files;
  }
}

}  // namespace

void submit(Lane lane, const void* owner, Job job) { queue(lane).submit(owner, std::move(job)); }

int cancel(const void* owner) {
  int dropped = 0;
  for (const Lane lane : kLanes) dropped += queue(lane).cancel(owner);
  return dropped;
}

void wait(const void* owner) {
  for (const Lane lane : kLanes) queue(lane).wait(owner);
}

int threads() {
  int started = 0;
  for (const Lane lane : kLanes) started += queue(lane).threads();
  return started;
}

}  // namespace downhill::executor
