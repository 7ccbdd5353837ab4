// What every kernel includes: CUDA's own headers under nvcc, the emulator under any other compiler.
#pragma once
#include <cstddef>
#include <cstdint>

#if defined(__CUDACC__)
#include <cuda_runtime.h>
#else
#include "backend/cuda/simt/runtime.h"  // threadIdx, __syncthreads, __shared__, shuffles, votes, atomics, float4, dim3 …
#endif

#include "core/host_device.h"

namespace downhill::cuda {

// Under both compilers:
//   DH_DYNAMIC_SHARED(type, name)      declares the block's dynamic shared memory, aligned to 128
//   launch(kernel, blocks, threads, shared_bytes, stream, arguments…)
//       kernel<<<…>>>(…); throws LaunchError (plugin/error.h) when it cannot be launched; allows more than 48 KiB of
//       shared memory
//   Stream                             cudaStream_t, or the emulator's

}  // namespace downhill::cuda
