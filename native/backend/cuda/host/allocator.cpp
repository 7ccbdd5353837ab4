#include "backend/cuda/host/allocator.h"

#include <algorithm>
#include <cstring>
#include <string>

#include "backend/cuda/host/device.h"

namespace downhill::cuda {

namespace {

constexpr uint64_t kSmallest = 256;
constexpr uint64_t kPage = uint64_t{2} << 20;  // what the driver hands out

uint64_t round_up(uint64_t bytes, uint64_t step) { return (bytes + step - 1) / step * step; }

}  // namespace

Allocator::Allocator(CudaDevice& device)
    : device_(device),
      exact_(device.target().emulated),
      keep_at_most_(std::max<uint64_t>(device.info().memory_bytes / 8, 16 * kPage)) {}

const char* Allocator::device() const { return device_.id().c_str(); }

Allocator::~Allocator() { free_kept(); }

uint64_t Allocator::block_size(uint64_t bytes) {
  if (bytes <= kSmallest) return kSmallest;
  uint64_t power = kSmallest;
  while (power <= bytes / 2) power *= 2;  // the largest power of two that is at most `bytes`
  return round_up(bytes, std::min(std::max(power / 8, kSmallest), kPage));
}

std::byte* Allocator::allocate(size_t bytes) {
  const uint64_t size = size_for(bytes);
  const std::lock_guard<std::mutex> lock(mutex_);
  void* memory = nullptr;
  if (const auto found = kept_.find(size); found != kept_.end() && !found->second.empty()) {
    memory = found->second.back();
    found->second.pop_back();
    usage_.kept_bytes -= size;
  } else {
    const auto fits = [&] { return !usage_.limit || usage_.bytes + usage_.kept_bytes + size <= usage_.limit; };
    if (!fits()) free_kept();
    if (!fits())
      throw Error(code::kOutOfMemory, "Cannot allocate " + std::to_string(bytes) + " bytes on " + device_.id() + ": " +
                                          std::to_string(usage_.bytes) + " of the memory limit of " +
                                          std::to_string(usage_.limit) +
                                          " bytes are in use. Use smaller batches or a smaller model, dispose of "
                                          "tensors, or raise the limit.");
    const auto allocate = [&] { device_.call(device_.api().allocate, device_.context(), size, &memory); };
    try {
      allocate();
    } catch (const Error& error) {
      if (std::strcmp(error.code(), code::kOutOfMemory) != 0 || usage_.kept_bytes == 0) throw;
      free_kept();
      allocate();
    }
  }
  usage_.bytes += size;
  usage_.peak_bytes = std::max(usage_.peak_bytes, usage_.bytes);
  ++usage_.requests;
  return static_cast<std::byte*>(memory);
}

void Allocator::release(std::byte* memory, size_t bytes) noexcept {
  if (!memory) return;
  const uint64_t size = size_for(bytes);
  const std::lock_guard<std::mutex> lock(mutex_);
  usage_.bytes -= size;
  const bool limited = usage_.limit && usage_.bytes + usage_.kept_bytes + size > usage_.limit;
  if (!limited && usage_.kept_bytes + size <= keep_at_most_) {
    try {
      kept_[size].push_back(memory);
      usage_.kept_bytes += size;
      return;
    } catch (const std::bad_alloc&) {  // no room to note it down
    }
  }
  device_.api().release(device_.context(), memory);
}

void Allocator::free_kept() noexcept {
  for (const auto& [size, blocks] : kept_)
    for (void* block : blocks) device_.api().release(device_.context(), block);
  kept_.clear();
  usage_.kept_bytes = 0;
}

Allocator::Usage Allocator::usage() const {
  const std::lock_guard<std::mutex> lock(mutex_);
  return usage_;
}

void Allocator::set_limit(uint64_t bytes) {
  const std::lock_guard<std::mutex> lock(mutex_);
  usage_.limit = bytes;
  if (bytes && usage_.bytes + usage_.kept_bytes > bytes) free_kept();
}

void Allocator::trim() noexcept {
  const std::lock_guard<std::mutex> lock(mutex_);
  free_kept();
}

template <typename Work>
void Allocator::copy_now(Work&& work) {
  const std::lock_guard<std::mutex> lock(copying_);
  if (!stream_) stream_ = std::make_unique<CudaStream>(device_);
  work(*stream_);
  stream_->synchronize();
}

void Allocator::clear(std::byte* to, size_t bytes) {
  copy_now([&](CudaStream& stream) { stream.fill(to, 0, bytes); });
}
void Allocator::upload(std::byte* to, const std::byte* from, size_t bytes) {
  copy_now([&](CudaStream& stream) { stream.upload(to, from, bytes); });
}
void Allocator::download(std::byte* to, const std::byte* from, size_t bytes) {
  copy_now([&](CudaStream& stream) { stream.download(to, from, bytes); });
}
void Allocator::copy(std::byte* to, const std::byte* from, size_t bytes) {
  copy_now([&](CudaStream& stream) { stream.copy(to, from, bytes); });
}

}  // namespace downhill::cuda
