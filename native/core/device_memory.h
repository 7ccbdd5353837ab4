// Memory that is not the host's: what a Buffer needs of a device.
#pragma once
#include <cstddef>

namespace downhill {

/// Safe for use from any thread. Each call returns when its work is done. Throws OUT_OF_MEMORY, DEVICE_LOST.
class DeviceMemory {
 public:
  virtual ~DeviceMemory() = default;
  virtual const char* device() const = 0;  // "cuda:0"
  virtual std::byte* allocate(size_t bytes) = 0;
  virtual void release(std::byte* memory, size_t bytes) noexcept = 0;
  virtual void clear(std::byte* to, size_t bytes) = 0;
  virtual void upload(std::byte* to, const std::byte* from, size_t bytes) = 0;
  virtual void download(std::byte* to, const std::byte* from, size_t bytes) = 0;
  virtual void copy(std::byte* to, const std::byte* from, size_t bytes) = 0;
};

}  // namespace downhill
