// Memory of tensors. A Buffer owns bytes; a Storage is a view of a range of one, so that the parameters of a model are
// named views into one flat arena. An asynchronous result is pending until its job has run.
#pragma once
#include <atomic>
#include <condition_variable>
#include <cstddef>
#include <cstdint>
#include <memory>
#include <mutex>
#include <shared_mutex>
#include <string>

namespace downhill {

inline constexpr size_t kAlignment = 64;  // bytes; of every buffer and every view made by an arena

/// Zero-filled, aligned host memory. Throws OUT_OF_MEMORY.
class Buffer {
 public:
  explicit Buffer(size_t bytes);
  ~Buffer();
  Buffer(const Buffer&) = delete;
  Buffer& operator=(const Buffer&) = delete;

  std::byte* data() const { return data_; }
  size_t bytes() const { return bytes_; }

  /// Readers of mutable contents (variables) hold it shared, whoever changes them holds it alone.
  std::shared_mutex guard;
  std::atomic<uint64_t> version{0};  // changes with every write under `guard`

  static int64_t total_bytes();        // of all live buffers in this process
  static int64_t total_allocations();  // since the start of the process; a step must not move it

 private:
  std::byte* data_ = nullptr;
  size_t bytes_ = 0;
};

/// Completion of the job that fills a storage.
class Pending {
 public:
  void finish();  // the values are there
  void fail(const char* code, std::string message);
  bool done() const { return done_.load(std::memory_order_acquire); }
  void wait();   // blocks; throws the job's error
  void check();  // throws the job's error, if it has one

 private:
  std::atomic<bool> done_{false};
  std::mutex mutex_;
  std::condition_variable ready_;
  const char* code_ = nullptr;
  std::string message_;
};

struct Storage {
  std::shared_ptr<Buffer> buffer;
  size_t offset = 0;  // bytes
  size_t bytes = 0;
  std::shared_ptr<Pending> pending;  // null: ready

  std::byte* data() const { return buffer->data() + offset; }
};

}  // namespace downhill
