// What every kernel includes: CUDA's own headers under nvcc, the emulator (docs/simt.md) under any other compiler.
//
//   DH_DYNAMIC_SHARED(type, name)   declares the block's dynamic shared memory, aligned to 128
//   DH_UNROLL                       unrolls the loop that follows
//   DH_NO_UNROLL                    leaves it a loop, to save code or registers
//   launch(kernel, blocks, threads, shared_bytes, stream, arguments…)
//                                   kernel<<<…>>>(…) with any amount of shared memory that the device has; throws
//                                   LaunchError. May be captured into a graph.
//
// Static shared memory: `alignas(16) __shared__ float tile[32][33];` with alignas first; not in .cuh headers that g++
// would merge under different types. It is never initialised.
#pragma once
#include <cstddef>
#include <cstdint>

#if defined(__CUDACC__)
#include <cuda_runtime.h>
#else
#include "backend/cuda/simt/runtime.h"
#endif

#include "backend/cuda/plugin/error.h"
#include "core/host_device.h"

namespace downhill::cuda {

constexpr int kWarpSize = 32;
constexpr unsigned kFullMask = 0xffffffffu;

#if defined(__CUDACC__)

using Stream = cudaStream_t;

#define DH_UNROLL _Pragma("unroll")
#define DH_NO_UNROLL _Pragma("unroll 1")
#define DH_DYNAMIC_SHARED(type, name)                                  \
  extern __shared__ __align__(128) unsigned char dh_dynamic_shared_[]; \
  type* name = reinterpret_cast<type*>(dh_dynamic_shared_)

inline void check_launch(cudaError_t status) {
  if (status == cudaSuccess) return;
  throw LaunchError(std::string("kernel launch failed: ") + cudaGetErrorString(status), static_cast<int>(status));
}

template <class... Parameters, class... Arguments>
void launch(void (*kernel)(Parameters...), dim3 blocks, dim3 threads, size_t shared_bytes, Stream stream,
            Arguments&&... arguments) {
  static_assert(sizeof...(Parameters) == sizeof...(Arguments), "as many arguments as the kernel has parameters");
  constexpr size_t kWithoutAsking = 48 * 1024;
  if (shared_bytes > kWithoutAsking) {
    check_launch(cudaFuncSetAttribute(reinterpret_cast<const void*>(kernel),
                                      cudaFuncAttributeMaxDynamicSharedMemorySize, static_cast<int>(shared_bytes)));
  }
  kernel<<<blocks, threads, shared_bytes, stream>>>(static_cast<Parameters>(arguments)...);
  check_launch(cudaGetLastError());
}

#else

/// Work is done at once: a stream is only a name.
struct EmulatedStream;
using Stream = EmulatedStream*;

#define DH_UNROLL
#define DH_NO_UNROLL
#define DH_DYNAMIC_SHARED(type, name) type* name = reinterpret_cast<type*>(::downhill::cuda::simt::dynamic_shared())

/// A Stream, and where the launch stands in the source.
struct StreamHere {
  Stream stream;
  const char* launcher;
  simt::Site site;
  StreamHere(Stream stream_, const char* launcher_ = __builtin_FUNCTION(), simt::Site site_ = simt::Site::here())
      : stream(stream_), launcher(launcher_), site(site_) {}
};

template <class... Parameters, class... Arguments>
void launch(void (*kernel)(Parameters...), dim3 blocks, dim3 threads, size_t shared_bytes, StreamHere stream,
            Arguments&&... arguments) {
  static_assert(sizeof...(Parameters) == sizeof...(Arguments), "as many arguments as the kernel has parameters");
  auto thread = [&] { kernel(static_cast<Parameters>(arguments)...); };
  simt::run(
      {blocks, threads, shared_bytes, reinterpret_cast<const void*>(kernel), stream.launcher, stream.site},
      [](void* context) { (*static_cast<decltype(thread)*>(context))(); }, &thread);
}

#endif

__device__ __forceinline__ int lane_id() {
  return static_cast<int>((threadIdx.x + blockDim.x * (threadIdx.y + blockDim.y * threadIdx.z)) % kWarpSize);
}
__device__ __forceinline__ int warp_id() {
  return static_cast<int>((threadIdx.x + blockDim.x * (threadIdx.y + blockDim.y * threadIdx.z)) / kWarpSize);
}

}  // namespace downhill::cuda
