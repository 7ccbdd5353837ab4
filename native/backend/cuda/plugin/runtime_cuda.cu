// CUDA's runtime.
#include <algorithm>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <memory>
#include <string>

#include "backend/cuda/plugin/architectures.h"
#include "backend/cuda/plugin/failure.h"
#include "backend/cuda/plugin/runtime.h"
#include "core/error.h"

// The compute capabilities that this library has code for, as CMake was told: "80 90a-real 120".
#if !defined(DOWNHILL_CUDA_ARCHITECTURES)
#define DOWNHILL_CUDA_ARCHITECTURES ""
#endif

namespace downhill::cuda::runtime {

const char* const kKind = "cuda";

struct Graph {
  cudaGraphExec_t exec = nullptr;
};

namespace {

/// The code for an error of CUDA. Those that break the process's work on the device for good are DEVICE_LOST.
const char* code_of(cudaError_t error) {
  switch (error) {
    case cudaErrorMemoryAllocation:
      return code::kOutOfMemory;
    case cudaErrorNoDevice:
    case cudaErrorInvalidDevice:
    case cudaErrorInsufficientDriver:
    case cudaErrorInitializationError:
    case cudaErrorSystemNotReady:
    case cudaErrorSystemDriverMismatch:
    case cudaErrorCompatNotSupportedOnDevice:
    case cudaErrorDevicesUnavailable:
    case cudaErrorDeviceNotLicensed:
    case cudaErrorOperatingSystem:
      return code::kDeviceUnavailable;
    case cudaErrorNoKernelImageForDevice:
    case cudaErrorUnsupportedPtxVersion:
    case cudaErrorInvalidKernelImage:
    case cudaErrorInvalidDeviceFunction:
    case cudaErrorJitCompilerNotFound:
      return code::kUnsupported;
    case cudaErrorIllegalAddress:
    case cudaErrorMisalignedAddress:
    case cudaErrorInvalidAddressSpace:
    case cudaErrorInvalidPc:
    case cudaErrorIllegalInstruction:
    case cudaErrorHardwareStackError:
    case cudaErrorLaunchFailure:
    case cudaErrorLaunchTimeout:
    case cudaErrorAssert:
    case cudaErrorTensorMemoryLeak:
    case cudaErrorECCUncorrectable:
    case cudaErrorNvlinkUncorrectable:
    case cudaErrorContained:
    case cudaErrorExternalDevice:
    case cudaErrorContextIsDestroyed:
    case cudaErrorDeviceUninitialized:
    case cudaErrorCudartUnloading:
    case cudaErrorUnknown:
      return code::kDeviceLost;
    default:
      return code::kInternal;
  }
}

std::string text(cudaError_t error) {
  return std::string(cudaGetErrorString(error)) + " (" + cudaGetErrorName(error) + ")";
}

/// `doing`: what failed, such as "copying 512 bytes to the device".
[[noreturn]] void fail(cudaError_t error, const std::string& doing) {
  cudaGetLastError();  // forgotten, unless it is one that stays
  const char* const code = code_of(error);
  std::string message = "CUDA failed " + doing + ": " + text(error) + ".";
  if (std::strcmp(code, code::kDeviceLost) == 0)
    message += " The device can no longer be used by this process, and what its memory held is gone: start it again.";
  throw Failure(code, message);
}

void check(cudaError_t error, const char* doing) {
  if (error != cudaSuccess) fail(error, doing);
}

std::string version_text(int version) {
  return std::to_string(version / 1000) + "." + std::to_string(version % 1000 / 10);
}

__global__ void probe() {}

}  // namespace

int device_count() {
  int count = 0;
  const cudaError_t error = cudaGetDeviceCount(&count);
  if (error == cudaSuccess) return count;
  cudaGetLastError();
  if (error == cudaErrorNoDevice) return 0;
  if (error != cudaErrorInsufficientDriver)
    throw Failure(code::kDeviceUnavailable, "CUDA cannot be used: " + text(error) + ".");
  int driver = 0;
  cudaDriverGetVersion(&driver);
  const std::string needed = version_text(CUDART_VERSION / 1000 * 1000);
  throw Failure(code::kDeviceUnavailable,
                driver == 0
                    ? "there is no NVIDIA driver (libcuda.so.1 was not found). Install one for CUDA " + needed +
                          " or newer; a container needs to be given the GPU. Or use the CPU."
                    : "the NVIDIA driver is too old: it is for CUDA " + version_text(driver) +
                          ", and this library needs " + needed + " or newer. Update the driver, or use the CPU.");
}

void describe(int device, DhDeviceInfo& info) {
  cudaDeviceProp properties;
  check(cudaGetDeviceProperties(&properties, device), "asking for the device's properties");
  std::snprintf(info.name, sizeof info.name, "%.127s", properties.name);
  info.memory_bytes = properties.totalGlobalMem;
  info.compute_major = properties.major;
  info.compute_minor = properties.minor;
  info.multiprocessors = properties.multiProcessorCount;
  cudaDriverGetVersion(&info.driver_version);
  info.runtime_version = CUDART_VERSION;
  const std::string compiled_for = DOWNHILL_CUDA_ARCHITECTURES;  // unknown: the probe in open() tells
  info.usable = compiled_for.empty() || has_code_for(compiled_for, properties.major, properties.minor);
  if (!info.usable)
    std::snprintf(info.reason, sizeof info.reason,
                  "this library has kernels for compute capabilities %s, and the device's is %d.%d. Build it for this "
                  "device: npm run build:cuda, in a checkout.",
                  DOWNHILL_CUDA_ARCHITECTURES, properties.major, properties.minor);
}

void open(int device) {
  use(device);
  check(cudaFree(nullptr), "opening the device");
  cudaFuncAttributes attributes;
  check(cudaFuncGetAttributes(&attributes, probe), "looking for kernels that the device can run");
}

void use(int device) { check(cudaSetDevice(device), "choosing the device"); }

void memory(uint64_t& free_bytes, uint64_t& total_bytes) {
  size_t free_now = 0, total = 0;
  check(cudaMemGetInfo(&free_now, &total), "asking for the device's memory");
  free_bytes = free_now;
  total_bytes = total;
}

void* allocate(size_t bytes) {
  void* memory = nullptr;
  const cudaError_t error = cudaMalloc(&memory, bytes ? bytes : 1);
  if (error == cudaSuccess) return memory;
  if (error != cudaErrorMemoryAllocation) fail(error, "allocating " + std::to_string(bytes) + " bytes");
  cudaGetLastError();
  size_t free_now = 0, total = 0;
  cudaMemGetInfo(&free_now, &total);
  throw Failure(code::kOutOfMemory, "Cannot allocate " + std::to_string(bytes) + " bytes on the device: " +
                                        std::to_string(free_now) + " of " + std::to_string(total) +
                                        " are free. Use smaller batches or a smaller model, or dispose of tensors.");
}

void release(void* memory) noexcept {
  if (cudaFree(memory) != cudaSuccess) cudaGetLastError();
}

void* allocate_host(size_t bytes) {
  void* memory = nullptr;
  const cudaError_t error = cudaMallocHost(&memory, bytes ? bytes : 1);
  if (error != cudaSuccess) fail(error, "allocating " + std::to_string(bytes) + " bytes of pinned host memory");
  return memory;
}

void release_host(void* memory) noexcept {
  if (cudaFreeHost(memory) != cudaSuccess) cudaGetLastError();
}

Stream stream_create() {
  Stream stream = nullptr;
  check(cudaStreamCreateWithFlags(&stream, cudaStreamNonBlocking), "making a stream");
  return stream;
}

void stream_destroy(Stream stream) noexcept {
  if (cudaStreamDestroy(stream) != cudaSuccess) cudaGetLastError();
}

void copy(Stream stream, void* to, const void* from, size_t bytes, Direction direction) {
  const cudaMemcpyKind kind = direction == Direction::up     ? cudaMemcpyHostToDevice
                              : direction == Direction::down ? cudaMemcpyDeviceToHost
                                                             : cudaMemcpyDeviceToDevice;
  const cudaError_t error = cudaMemcpyAsync(to, from, bytes, kind, stream);
  if (error == cudaSuccess) return;
  const char* const where = direction == Direction::up     ? " bytes to the device"
                            : direction == Direction::down ? " bytes from the device"
                                                           : " bytes on the device";
  fail(error, "copying " + std::to_string(bytes) + where);
}

void fill(Stream stream, void* to, int byte, size_t bytes) {
  check(cudaMemsetAsync(to, byte, bytes, stream), "filling memory of the device");
}

void synchronize(Stream stream) { check(cudaStreamSynchronize(stream), "waiting for the device's work"); }

void launching(const char*) {}

const char* code_of_launch(const LaunchError& error) noexcept {
  cudaGetLastError();
  return code_of(static_cast<cudaError_t>(error.status()));
}

Graph* capture(const std::function<void(Stream)>& work) {
  struct Capturing {
    Stream stream = stream_create();
    cudaGraph_t graph = nullptr;
    ~Capturing() {
      if (graph) cudaGraphDestroy(graph);
      stream_destroy(stream);
    }
  } capturing;
  // Of this thread alone: others may allocate meanwhile.
  check(cudaStreamBeginCapture(capturing.stream, cudaStreamCaptureModeThreadLocal), "beginning to capture a step");
  try {
    work(capturing.stream);
  } catch (...) {
    cudaStreamEndCapture(capturing.stream, &capturing.graph);
    cudaGetLastError();
    throw;
  }
  check(cudaStreamEndCapture(capturing.stream, &capturing.graph), "capturing a step");
  auto graph = std::make_unique<Graph>();
  check(cudaGraphInstantiate(&graph->exec, capturing.graph, 0), "preparing a captured step");
  return graph.release();
}

void replay(Graph* graph, Stream stream) { check(cudaGraphLaunch(graph->exec, stream), "launching a captured step"); }

void destroy(Graph* graph) noexcept {
  if (cudaGraphExecDestroy(graph->exec) != cudaSuccess) cudaGetLastError();
  delete graph;
}

}  // namespace downhill::cuda::runtime
