// Memory of a device. Blocks that are given back are kept for the next request of their size, within bounds, since
// cudaMalloc and cudaFree stop the device.
#pragma once
#include <cstdint>
#include <map>
#include <memory>
#include <mutex>
#include <vector>

#include "core/device_memory.h"

namespace downhill::cuda {

class CudaDevice;
class CudaStream;

class Allocator final : public DeviceMemory {
 public:
  struct Usage {
    uint64_t bytes = 0;       // handed out, in whole blocks
    uint64_t peak_bytes = 0;  // the most that `bytes` was
    uint64_t kept_bytes = 0;  // given back and kept
    uint64_t limit = 0;       // 0: what the device has
    uint64_t requests = 0;    // so far; a training step must not move it
  };

  explicit Allocator(CudaDevice& device);
  ~Allocator() override;

  const char* device() const override;
  /// Throws OUT_OF_MEMORY when neither the device nor the limit has room after all kept blocks were freed.
  std::byte* allocate(size_t bytes) override;
  /// Nothing on the device may use it any more.
  void release(std::byte* memory, size_t bytes) noexcept override;
  void clear(std::byte* to, size_t bytes) override;
  void upload(std::byte* to, const std::byte* from, size_t bytes) override;
  void download(std::byte* to, const std::byte* from, size_t bytes) override;
  void copy(std::byte* to, const std::byte* from, size_t bytes) override;

  Usage usage() const;
  /// Bytes that blocks in use and kept ones may take together; 0: what the device has. More may be in use already: then
  /// nothing more is handed out.
  void set_limit(uint64_t bytes);
  /// Frees all kept blocks.
  void trim() noexcept;

  /// The size of the block for a request: at most an eighth more, so that sizes of one kind share blocks.
  static uint64_t block_size(uint64_t bytes);

 private:
  uint64_t size_for(uint64_t bytes) const { return exact_ ? bytes : block_size(bytes); }
  void free_kept() noexcept;
  template <typename Work>
  void copy_now(Work&& work);

  CudaDevice& device_;
  const bool exact_;          // the emulator: so that it sees what is written behind a block's end
  mutable std::mutex mutex_;  // of everything below but the stream
  std::map<uint64_t, std::vector<void*>> kept_;
  Usage usage_;
  const uint64_t keep_at_most_;
  std::mutex copying_;
  std::unique_ptr<CudaStream> stream_;  // of copies; made when first used
};

}  // namespace downhill::cuda
