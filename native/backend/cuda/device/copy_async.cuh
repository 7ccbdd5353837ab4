// Copies from global to shared memory that go on while the thread computes (cp.async, sm_80; plain copies below).
//
//   copy_async_16(to, from); copy_async_commit(); … copy_async_wait<1>(); __syncthreads();
//
// A thread waits for its own groups; others see what it copied after a barrier that follows its wait. Before a thread
// ends it must have waited for all of its copies. Both addresses must be aligned to the size. valid_bytes: how many
// come from global memory, the rest are zeros; with 0 `from` is not read, but must be aligned.
#pragma once
#include "backend/cuda/device/platform.cuh"

namespace downhill::cuda {

#if defined(__CUDACC__)

/// The address that instructions on shared memory take.
__device__ __forceinline__ uint32_t shared_address(const void* shared) {
  return static_cast<uint32_t>(__cvta_generic_to_shared(shared));
}

template <class Word>
__device__ __forceinline__ void copy_now(void* shared, const void* global, int valid_bytes) {
  if (valid_bytes == static_cast<int>(sizeof(Word))) {
    *static_cast<Word*>(shared) = *static_cast<const Word*>(global);
    return;
  }
  for (int i = 0; i < static_cast<int>(sizeof(Word)); ++i) {
    static_cast<unsigned char*>(shared)[i] = i < valid_bytes ? static_cast<const unsigned char*>(global)[i] : 0;
  }
}

__device__ __forceinline__ void copy_async_16(void* shared, const void* global, int valid_bytes = 16) {
#if __CUDA_ARCH__ >= 800
  asm volatile("cp.async.cg.shared.global [%0], [%1], 16, %2;" ::"r"(shared_address(shared)), "l"(global),
               "r"(valid_bytes)
               : "memory");
#else
  copy_now<uint4>(shared, global, valid_bytes);
#endif
}
__device__ __forceinline__ void copy_async_8(void* shared, const void* global, int valid_bytes = 8) {
#if __CUDA_ARCH__ >= 800
  asm volatile("cp.async.ca.shared.global [%0], [%1], 8, %2;" ::"r"(shared_address(shared)), "l"(global),
               "r"(valid_bytes)
               : "memory");
#else
  copy_now<uint2>(shared, global, valid_bytes);
#endif
}
__device__ __forceinline__ void copy_async_4(void* shared, const void* global, int valid_bytes = 4) {
#if __CUDA_ARCH__ >= 800
  asm volatile("cp.async.ca.shared.global [%0], [%1], 4, %2;" ::"r"(shared_address(shared)), "l"(global),
               "r"(valid_bytes)
               : "memory");
#else
  copy_now<uint32_t>(shared, global, valid_bytes);
#endif
}

/// The copies since the last commit become a group (which may be empty).
__device__ __forceinline__ void copy_async_commit() {
#if __CUDA_ARCH__ >= 800
  asm volatile("cp.async.commit_group;" ::: "memory");
#endif
}

/// Waits for all of this thread's groups but the newest Pending.
template <int Pending>
__device__ __forceinline__ void copy_async_wait() {
  static_assert(Pending >= 0);
#if __CUDA_ARCH__ >= 800
  asm volatile("cp.async.wait_group %0;" ::"n"(Pending) : "memory");
#endif
}

#else

inline void copy_async_16(void* shared, const void* global, int valid_bytes = 16,
                          simt::Site site = simt::Site::here()) {
  simt::async_copy(shared, global, 16, valid_bytes, site);
}
inline void copy_async_8(void* shared, const void* global, int valid_bytes = 8, simt::Site site = simt::Site::here()) {
  simt::async_copy(shared, global, 8, valid_bytes, site);
}
inline void copy_async_4(void* shared, const void* global, int valid_bytes = 4, simt::Site site = simt::Site::here()) {
  simt::async_copy(shared, global, 4, valid_bytes, site);
}
inline void copy_async_commit() { simt::async_commit(); }
template <int Pending>
inline void copy_async_wait() {
  static_assert(Pending >= 0);
  simt::async_wait(Pending);
}

#endif

}  // namespace downhill::cuda
