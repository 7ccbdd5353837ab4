// A mutex that serves its waiters in the order they came, so that a loop which takes it again and again starves nobody.
#pragma once
#include <condition_variable>
#include <cstdint>
#include <mutex>

namespace downhill {

class TurnMutex {
 public:
  void lock() {
    std::unique_lock<std::mutex> lock(mutex_);
    const uint64_t turn = next_++;
    served_.wait(lock, [&] { return turn == serving_; });
  }
  bool try_lock() {
    const std::lock_guard<std::mutex> lock(mutex_);
    if (serving_ != next_) return false;
    ++next_;
    return true;
  }
  void unlock() {
    bool awaited;
    {
      const std::lock_guard<std::mutex> lock(mutex_);
      awaited = ++serving_ != next_;
    }
    if (awaited) served_.notify_all();
  }

 private:
  std::mutex mutex_;
  std::condition_variable served_;
  uint64_t next_ = 0, serving_ = 0;
};

}  // namespace downhill
