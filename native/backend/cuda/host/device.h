// A CUDA device, or the emulator, behind the C table of its library.
#pragma once
#include <memory>
#include <mutex>
#include <string>
#include <vector>

#include "backend/cuda/api.h"
#include "backend/cuda/host/allocator.h"
#include "backend/cuda/host/call.h"
#include "backend/cuda/host/lower.h"
#include "backend/device.h"

namespace downhill::cuda {

class CudaDevice;

/// An order of work. One thread at a time; its owner synchronizes before memory that it uses is released.
class CudaStream {
 public:
  explicit CudaStream(CudaDevice& device);
  ~CudaStream();
  CudaStream(const CudaStream&) = delete;
  CudaStream& operator=(const CudaStream&) = delete;

  // All but synchronize only put work in order: host memory of copies must live until then.
  void upload(void* to, const void* from, size_t bytes);
  void download(void* to, const void* from, size_t bytes);
  void copy(void* to, const void* from, size_t bytes);
  void fill(void* to, int byte, size_t bytes);
  void run(const std::vector<DhCommand>& commands);
  void launch(DhGraph* graph, int times = 1);
  void synchronize();

  CudaDevice& device() const { return device_; }

 private:
  CudaDevice& device_;
  DhStream* stream_ = nullptr;
};

/// A stream of the device's for the work of one scope, so that a thousand programs need no thousand streams.
class StreamLease {
 public:
  explicit StreamLease(CudaDevice& device);
  ~StreamLease();
  StreamLease(const StreamLease&) = delete;
  StreamLease& operator=(const StreamLease&) = delete;
  CudaStream* operator->() const { return stream_.get(); }
  CudaStream& operator*() const { return *stream_; }

 private:
  const int exceptions_;
  std::unique_ptr<CudaStream> stream_;
};

/// Commands captured for replay; the memory that they point to must outlive it.
class CudaGraph {
 public:
  CudaGraph(CudaDevice& device, const std::vector<DhCommand>& commands);
  ~CudaGraph();
  CudaGraph(const CudaGraph&) = delete;
  CudaGraph& operator=(const CudaGraph&) = delete;
  DhGraph* get() const { return graph_; }

 private:
  CudaDevice& device_;
  DhGraph* graph_ = nullptr;
};

/// Pinned host memory: copies from and to it run without the host.
class PinnedMemory {
 public:
  PinnedMemory(CudaDevice& device, size_t bytes);
  ~PinnedMemory();
  PinnedMemory(const PinnedMemory&) = delete;
  PinnedMemory& operator=(const PinnedMemory&) = delete;
  std::byte* data() const { return static_cast<std::byte*>(memory_); }
  size_t bytes() const { return bytes_; }

 private:
  CudaDevice& device_;
  void* memory_ = nullptr;
  const size_t bytes_;
};

/// Safe for use from any thread.
class CudaDevice final : public Device {
 public:
  /// Opens the device of that number. Throws DEVICE_UNAVAILABLE, UNSUPPORTED.
  CudaDevice(const DhCudaApi& api, int number, std::string id);
  CudaDevice(const CudaDevice&) = delete;
  CudaDevice& operator=(const CudaDevice&) = delete;
  ~CudaDevice() override;

  const std::string& id() const override { return id_; }
  Allocator* memory() override { return allocator_.get(); }
  std::unique_ptr<Program> compile(Plan plan, Precision precision) override;
  size_t arena_of(const Plan& plan) const override;
  Precision products(Precision precision) const override;
  std::unique_ptr<StepLoop> loop(const StepLoopOptions& options) override;
  std::unique_ptr<DeviceUpdate> update(Updater& updater) override;

  const DhCudaApi& api() const { return api_; }
  DhContext* context() const { return context_; }
  const DhDeviceInfo& info() const { return info_; }
  const Target& target() const { return target_; }
  /// Why it can no longer be used; empty while it can.
  std::string lost() const;

  /// A call of the table for this device; remembers that the device was lost.
  template <typename... Parameters, typename... Arguments>
  void call(int (*function)(Parameters...), Arguments&&... arguments) {
    DhError error{};
    if (function(std::forward<Arguments>(arguments)..., &error) != 0) fail(error);
  }

 private:
  friend class StreamLease;
  [[noreturn]] void fail(const DhError& error);

  const DhCudaApi& api_;
  const std::string id_;
  DhDeviceInfo info_{};
  Target target_;
  DhContext* context_ = nullptr;
  std::unique_ptr<Allocator> allocator_;
  std::mutex streams_mutex_;
  std::vector<std::unique_ptr<CudaStream>> idle_streams_;
  mutable std::mutex mutex_;
  std::string lost_;
};

/// host/program.cpp
std::unique_ptr<Program> make_program(CudaDevice& device, Plan plan, Precision precision);
/// host/update.cpp
std::unique_ptr<DeviceUpdate> make_update(CudaDevice& device, Updater& updater);
/// host/loop.cpp
std::unique_ptr<StepLoop> make_loop(CudaDevice& device, const StepLoopOptions& options);

}  // namespace downhill::cuda
