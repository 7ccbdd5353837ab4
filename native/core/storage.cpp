#include "core/storage.h"

#include <cstdlib>
#include <cstring>

#include "core/error.h"

namespace downhill {

namespace {
std::atomic<int64_t> live_bytes{0};
std::atomic<int64_t> allocations{0};
}  // namespace

Buffer::Buffer(size_t bytes) : bytes_(bytes) {
  const size_t padded = (bytes + kAlignment - 1) / kAlignment * kAlignment;
  const size_t size = padded ? padded : kAlignment;
  void* memory = nullptr;
  if (padded < bytes || posix_memalign(&memory, kAlignment, size) != 0)
    throw Error(code::kOutOfMemory,
                "Cannot allocate " + std::to_string(bytes) +
                    " bytes of memory. Use smaller batches or a smaller model, or dispose of tensors.");
  std::memset(memory, 0, size);
  data_ = static_cast<std::byte*>(memory);
  live_bytes.fetch_add(static_cast<int64_t>(bytes_), std::memory_order_relaxed);
  allocations.fetch_add(1, std::memory_order_relaxed);
}

Buffer::~Buffer() {
  std::free(data_);
  live_bytes.fetch_sub(static_cast<int64_t>(bytes_), std::memory_order_relaxed);
}

int64_t Buffer::total_bytes() { return live_bytes.load(std::memory_order_relaxed); }
int64_t Buffer::total_allocations() { return allocations.load(std::memory_order_relaxed); }

void Pending::finish() {
  {
    std::lock_guard<std::mutex> lock(mutex_);
    done_.store(true, std::memory_order_release);
  }
  ready_.notify_all();
}

void Pending::fail(const char* code, std::string message) {
  {
    std::lock_guard<std::mutex> lock(mutex_);
    code_ = code;
    message_ = std::move(message);
    done_.store(true, std::memory_order_release);
  }
  ready_.notify_all();
}

void Pending::wait() {
  {
    std::unique_lock<std::mutex> lock(mutex_);
    ready_.wait(lock, [this] { return done(); });
  }
  check();
}

void Pending::check() {
  if (done() && code_) throw Error(code_, message_);
}

}  // namespace downhill
