// Marks functions that are compiled for the CPU and for CUDA devices alike.
#pragma once

#if defined(__CUDACC__)
#define DH_HOST_DEVICE __host__ __device__ __forceinline__
#else
#define DH_HOST_DEVICE inline __attribute__((always_inline))
#endif

// Headers with formulas (core/math.h, core/philox.h, ops/*.h, optim/*.h) are compiled once per instruction set. Their
// contents live in a namespace named after that set, so that the linker cannot merge AVX-512 code into the baseline.
#if !defined(DH_ISA)
#define DH_ISA generic
#endif
