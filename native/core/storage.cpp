#include "core/storage.h"

#include <algorithm>
#include <cstdint>
#include <cstring>

#include "core/error.h"
#include "core/host_blocks.h"

namespace downhill {

namespace {
std::atomic<int64_t> live_bytes{0};
std::atomic<int64_t> allocations{0};
}  // namespace

Buffer::Buffer(size_t bytes, DeviceMemory* home) : Buffer(bytes, home, When::now) {}

std::shared_ptr<Buffer> Buffer::later(size_t bytes, DeviceMemory* home) {
  return std::shared_ptr<Buffer>(new Buffer(bytes, home, When::later));
}

Buffer::Buffer(size_t bytes, DeviceMemory* home, When when) : bytes_(bytes), home_(home) {
  allocations.fetch_add(1, std::memory_order_relaxed);
  if (home || when == When::later) return;  // nothing is made before it is asked for
  allocate_host(true);
  host_valid_ = true;
  plain_.store(true, std::memory_order_release);
}

Buffer::~Buffer() {
  free_host();
  drop_copies(nullptr);
}

size_t Buffer::host_size() const {
  const size_t padded = (bytes_ + kAlignment - 1) / kAlignment * kAlignment;
  return padded ? padded : kAlignment;
}

void Buffer::allocate_host(bool zeroed) const {
  if (bytes_ <= SIZE_MAX - kAlignment) host_ = host_blocks::take(host_size(), zeroed);
  if (!host_)
    throw Error(code::kOutOfMemory,
                "Cannot allocate " + std::to_string(bytes_) +
                    " bytes of memory. Use smaller batches or a smaller model, or dispose of tensors.");
  live_bytes.fetch_add(static_cast<int64_t>(bytes_), std::memory_order_relaxed);
}

void Buffer::free_host() const {
  if (host_) live_bytes.fetch_sub(static_cast<int64_t>(bytes_), std::memory_order_relaxed);
  host_blocks::give(host_, host_size());
  host_ = nullptr;
  host_valid_ = false;
}

void Buffer::drop_copies(const DeviceMemory* except) const {
  for (const Copy& copy : copies_)
    if (copy.device != except) copy.device->release(copy.data, bytes_);
  copies_.erase(std::remove_if(copies_.begin(), copies_.end(), [&](const Copy& copy) { return copy.device != except; }),
                copies_.end());
}

Buffer::Copy& Buffer::copy_on(DeviceMemory* where) const {
  for (Copy& copy : copies_)
    if (copy.device == where) return copy;
  copies_.reserve(copies_.size() + 1);  // before there is memory to lose
  copies_.push_back({where, where->allocate(bytes_), false});
  return copies_.back();
}

/// The host's memory with the contents in it: those of a device, or the zeros of a buffer that nobody has used.
void Buffer::fill_host() const {
  if (host_valid_) return;
  if (!host_) allocate_host(true);
  for (const Copy& copy : copies_) {
    if (!copy.valid) continue;
    if (bytes_ > 0) copy.device->download(host_, copy.data, bytes_);
    break;
  }
  host_valid_ = true;
}

/// Memory there, with the contents in it if they are wanted.
std::byte* Buffer::bring(DeviceMemory* where, bool filled) const {
  if (!where) {
    if (filled) fill_host();
    if (!host_) allocate_host(false);
    host_valid_ = true;
    return host_;
  }
  bool elsewhere = host_valid_;
  for (const Copy& copy : copies_) elsewhere = elsewhere || (copy.valid && copy.device != where);
  Copy& copy = copy_on(where);
  if (filled && !copy.valid && bytes_ > 0) {
    if (elsewhere) {
      fill_host();
      where->upload(copy.data, host_, bytes_);
    } else {
      where->clear(copy.data, bytes_);
    }
  }
  copy.valid = true;
  return copy.data;
}

const std::byte* Buffer::read(DeviceMemory* where) const {
  if (!where && plain_.load(std::memory_order_acquire)) return host_;
  const std::lock_guard<std::mutex> lock(moving_);
  if (where) plain_.store(false, std::memory_order_release);
  return bring(where, true);
}

std::byte* Buffer::write(DeviceMemory* where) {
  if (!where && plain_.load(std::memory_order_acquire)) return host_;
  const std::lock_guard<std::mutex> lock(moving_);
  std::byte* const memory = bring(where, true);
  drop_copies(where);
  if (where) free_host();
  plain_.store(!where, std::memory_order_release);
  return memory;
}

std::byte* Buffer::overwrite(DeviceMemory* where) {
  if (!where && plain_.load(std::memory_order_acquire)) return host_;
  {
    const std::lock_guard<std::mutex> lock(moving_);
    bring(where, false);
  }
  return write(where);
}

DeviceMemory* Buffer::home() const {
  if (plain_.load(std::memory_order_acquire)) return nullptr;
  const std::lock_guard<std::mutex> lock(moving_);
  if (host_valid_) return nullptr;
  for (const Copy& copy : copies_)
    if (copy.valid) return copy.device;
  return home_;
}

bool Buffer::is_in(const DeviceMemory* where) const {
  if (plain_.load(std::memory_order_acquire)) return !where;
  const std::lock_guard<std::mutex> lock(moving_);
  if (!where) return host_valid_;
  return std::any_of(copies_.begin(), copies_.end(),
                     [&](const Copy& copy) { return copy.device == where && copy.valid; });
}

void copy_contents(const Buffer& from, Buffer& to) {
  DeviceMemory* const where = from.home();
  std::byte* const target = to.overwrite(where);
  const std::byte* const source = from.read(where);
  if (from.bytes() == 0) return;
  if (where)
    where->copy(target, source, from.bytes());
  else
    std::memcpy(target, source, from.bytes());
}

void read_contents(const Storage& from, void* to) {
  if (from.bytes == 0) return;
  DeviceMemory* const where = from.buffer->home();
  const std::byte* const source = from.read(where);
  if (where)
    where->download(static_cast<std::byte*>(to), source, from.bytes);
  else
    std::memcpy(to, source, from.bytes);
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
