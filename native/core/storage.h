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
#include <vector>

#include "core/device_memory.h"

namespace downhill {

inline constexpr size_t kAlignment = 64;  // bytes; of every buffer and every view made by an arena

/// Zero-filled, aligned memory whose contents live on the host, on a device, or on both, and move when they are asked
/// for. A CPU-only buffer is plain host memory: asking for it costs one load.
class Buffer {
 public:
  /// `home`: where its first contents are made; null: the host, at once. Throws OUT_OF_MEMORY.
  explicit Buffer(size_t bytes, DeviceMemory* home = nullptr);
  /// A result: on the host, too, memory is taken when somebody asks for it, and zeroed only if it is to be read first.
  static std::shared_ptr<Buffer> later(size_t bytes, DeviceMemory* home);
  ~Buffer();
  Buffer(const Buffer&) = delete;
  Buffer& operator=(const Buffer&) = delete;

  /// The contents in that memory (null: the host's), to be read: copies elsewhere stay. Several readers may ask at
  /// once.
  const std::byte* read(DeviceMemory* where) const;
  /// The contents in that memory, to be changed: copies elsewhere are dropped. For one thread, with no readers.
  std::byte* write(DeviceMemory* where);
  /// The same when all of it is about to be overwritten: nothing is copied.
  std::byte* overwrite(DeviceMemory* where);

  /// Host memory, to be changed.
  std::byte* data() { return write(nullptr); }
  const std::byte* data() const { return read(nullptr); }
  size_t bytes() const { return bytes_; }
  /// Where the contents are without copying; null: (also) on the host.
  DeviceMemory* home() const;
  /// Whether that memory has the contents.
  bool is_in(const DeviceMemory* where) const;

  /// Readers of mutable contents (variables) hold it shared, whoever changes them holds it alone.
  std::shared_mutex guard;
  std::atomic<uint64_t> version{0};  // changes with every write under `guard`

  static int64_t total_bytes();        // of host memory of all live buffers in this process
  static int64_t total_allocations();  // since the start of the process; a step must not move it

 private:
  /// Memory on a device; those that are not valid hold older contents, or none.
  struct Copy {
    DeviceMemory* device;
    std::byte* data;
    bool valid;
  };

  enum class When { now, later };
  Buffer(size_t bytes, DeviceMemory* home, When when);

  std::byte* bring(DeviceMemory* where, bool filled) const;
  Copy& copy_on(DeviceMemory* where) const;
  void fill_host() const;
  size_t host_size() const;  // of the block, in bytes
  void allocate_host(bool zeroed) const;
  void free_host() const;
  void drop_copies(const DeviceMemory* except) const;

  const size_t bytes_;
  DeviceMemory* const home_;
  // True while there is host memory only; then the members below do not change.
  mutable std::atomic<bool> plain_{false};
  mutable std::mutex moving_;
  mutable std::byte* host_ = nullptr;  // contents when host_valid_
  mutable bool host_valid_ = false;
  mutable std::vector<Copy> copies_;
};

/// Copies the contents of one buffer into another of the same size, on the device where they are. The caller holds the
/// locks.
void copy_contents(const Buffer& from, Buffer& to);

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

struct TouchedRows;

struct Storage {
  std::shared_ptr<Buffer> buffer;
  size_t offset = 0;  // bytes
  size_t bytes = 0;
  std::shared_ptr<Pending> pending;        // null: ready
  std::shared_ptr<TouchedRows> rows = {};  // of a gradient whose steps may write single rows; null: any may be written

  std::byte* data() const { return buffer->data() + offset; }  // host memory, to be changed
  const std::byte* host() const { return read(nullptr); }      // host memory, to be read
  const std::byte* read(DeviceMemory* where) const { return buffer->read(where) + offset; }
  std::byte* write(DeviceMemory* where) const { return buffer->write(where) + offset; }
};

/// Copies a storage's contents into host memory, from where they are.
void read_contents(const Storage& from, void* to);

}  // namespace downhill
