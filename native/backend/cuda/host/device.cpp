#include "backend/cuda/host/device.h"

#include <cstring>
#include <exception>

#include "backend/cuda/host/matmul_choice.h"

namespace downhill::cuda {

// ---- CudaDevice ------------------------------------------------------------------------------------------------

CudaDevice::CudaDevice(const DhCudaApi& api, int number, std::string id) : api_(api), id_(std::move(id)) {
  cuda::call(api_.device_info, number, &info_);
  if (!info_.usable) throw Error(code::kDeviceUnavailable, info_.reason);
  target_.compute_capability = 10 * info_.compute_major + info_.compute_minor;
  target_.multiprocessors = info_.multiprocessors;
  target_.emulated = std::strcmp(api_.kind, "simt") == 0;
  allocator_ = std::make_unique<Allocator>(*this);
  cuda::call(api_.open, number, &context_);
}

CudaDevice::~CudaDevice() {
  idle_streams_.clear();
  allocator_.reset();
  api_.close(context_);
}

std::unique_ptr<Program> CudaDevice::compile(Plan plan, Precision precision) {
  return make_program(*this, std::move(plan), precision);
}
Precision CudaDevice::products(Precision precision) const {
  const bool rounds = precision == Precision::bfloat16 || kind_of(precision, target_) == MatmulKind::tf32;
  return rounds ? precision : Precision::float32;
}
std::unique_ptr<StepLoop> CudaDevice::loop(const StepLoopOptions& options) { return make_loop(*this, options); }
std::unique_ptr<DeviceUpdate> CudaDevice::update(Updater& updater) { return make_update(*this, updater); }

std::string CudaDevice::lost() const {
  const std::lock_guard<std::mutex> lock(mutex_);
  return lost_;
}

void CudaDevice::fail(const DhError& error) {
  const Error thrown = error_of(error);
  if (std::strcmp(thrown.code(), code::kDeviceLost) == 0) {
    const std::lock_guard<std::mutex> lock(mutex_);
    if (lost_.empty()) lost_ = error.message;
  }
  throw thrown;
}

// ---- CudaStream ------------------------------------------------------------------------------------------------

CudaStream::CudaStream(CudaDevice& device) : device_(device) {
  device_.call(device_.api().stream_create, device_.context(), &stream_);
}
CudaStream::~CudaStream() { device_.api().stream_destroy(stream_); }

void CudaStream::upload(void* to, const void* from, size_t bytes) {
  device_.call(device_.api().upload, stream_, to, from, bytes);
}
void CudaStream::download(void* to, const void* from, size_t bytes) {
  device_.call(device_.api().download, stream_, to, from, bytes);
}
void CudaStream::copy(void* to, const void* from, size_t bytes) {
  device_.call(device_.api().copy, stream_, to, from, bytes);
}
void CudaStream::fill(void* to, int byte, size_t bytes) { device_.call(device_.api().fill, stream_, to, byte, bytes); }
void CudaStream::run(const std::vector<DhCommand>& commands) {
  device_.call(device_.api().run, stream_, commands.data(), static_cast<int>(commands.size()));
}
void CudaStream::launch(DhGraph* graph, int times) { device_.call(device_.api().graph_launch, stream_, graph, times); }
void CudaStream::synchronize() { device_.call(device_.api().synchronize, stream_); }

// ---- StreamLease -----------------------------------------------------------------------------------------------

StreamLease::StreamLease(CudaDevice& device) : exceptions_(std::uncaught_exceptions()) {
  {
    const std::lock_guard<std::mutex> lock(device.streams_mutex_);
    if (!device.idle_streams_.empty()) {
      stream_ = std::move(device.idle_streams_.back());
      device.idle_streams_.pop_back();
      return;
    }
  }
  stream_ = std::make_unique<CudaStream>(device);
}

StreamLease::~StreamLease() {
  CudaDevice& device = stream_->device();
  if (std::uncaught_exceptions() > exceptions_) {  // memory in use may be given back now
    try {
      stream_->synchronize();
    } catch (const Error&) {  // the failure itself is reported
    }
  }
  const std::lock_guard<std::mutex> lock(device.streams_mutex_);
  device.idle_streams_.push_back(std::move(stream_));
}

// ---- CudaGraph, PinnedMemory -----------------------------------------------------------------------------------

CudaGraph::CudaGraph(CudaDevice& device, const std::vector<DhCommand>& commands) : device_(device) {
  const int count = static_cast<int>(commands.size());
  device_.call(device_.api().graph_create, device_.context(), commands.data(), count, &graph_);
}
CudaGraph::~CudaGraph() { device_.api().graph_destroy(graph_); }

PinnedMemory::PinnedMemory(CudaDevice& device, size_t bytes) : device_(device), bytes_(bytes) {
  device_.call(device_.api().allocate_host, device_.context(), bytes, &memory_);
}
PinnedMemory::~PinnedMemory() { device_.api().release_host(device_.context(), memory_); }

}  // namespace downhill::cuda
