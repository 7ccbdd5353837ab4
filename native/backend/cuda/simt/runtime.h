// CUDA for compilers that are not nvcc: kernels run on the CPU, thread by thread, and mistakes that a GPU would pass
// over are errors. docs/simt.md.
#pragma once
#include "backend/cuda/simt/atomics.h"
#include "backend/cuda/simt/copies.h"
#include "backend/cuda/simt/language.h"
#include "backend/cuda/simt/mma.h"
#include "backend/cuda/simt/scheduler.h"
#include "backend/cuda/simt/warp.h"

// Macros as late as possible: headers of the standard library must not see them.
#define threadIdx (::downhill::cuda::simt::position.thread)
#define blockIdx (::downhill::cuda::simt::position.block)
#define blockDim (::downhill::cuda::simt::position.block_size)
#define gridDim (::downhill::cuda::simt::position.grid_size)
#define warpSize 32
