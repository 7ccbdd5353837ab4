// Tensor cores: D = A·B + D over a whole warp, A (16, k) row-major, B (k, 8) column-major, D (16, 8) float32; and the
// loads that bring 8x8 tiles from shared memory into their fragments. sm_80 and up; below a kernel that calls them
// traps (ldmatrix: sm_75). All 32 lanes must call them.
//
// Fragments (PTX ISA, "Matrix Fragments for mma"), with g = lane / 4, t = lane % 4:
//   d[0] D(g, 2t)  d[1] D(g, 2t+1)  d[2] D(g+8, 2t)  d[3] D(g+8, 2t+1)
//   tf32 k8    a[0] A(g, t)  a[1] A(g+8, t)  a[2] A(g, t+4)  a[3] A(g+8, t+4)     b[0] B(t, g)  b[1] B(t+4, g)
//   bf16 k16   a[0] A(g, 2t…)  a[1] A(g+8, 2t…)  a[2] A(g, 2t+8…)  a[3] A(g+8, 2t+8…)   two along k, the lower in the
//              b[0] B(2t…, g)  b[1] B(2t+8…, g)                                         low half
//   ldmatrix   lane 8m + r brings the address of row r of matrix m (16 bytes, aligned to 16); it gets, of each matrix,
//              row g's elements 2t and 2t+1 of 16 bits; _trans: column g's elements of rows 2t and 2t+1
#pragma once
#include "backend/cuda/device/copy_async.cuh"

namespace downhill::cuda {

/// Rounded to TF32 (10 bits of fraction; to nearest, ties away from zero): what cvt.rna does. NaN: 0x7fffffff.
DH_HOST_DEVICE uint32_t round_to_tf32(uint32_t bits) {
  const uint32_t magnitude = bits & 0x7fffffffu;
  if (magnitude > 0x7f800000u) return 0x7fffffffu;
  return (bits + (magnitude == 0x7f800000u ? 0u : 0x1000u)) & 0xffffe000u;
}

/// Rounded to bfloat16 (to nearest, ties to even): what cvt.rn does. NaN: 0x7fff.
DH_HOST_DEVICE uint32_t round_to_bf16(uint32_t bits) {
  if ((bits & 0x7fffffffu) > 0x7f800000u) return 0x7fffu;
  return (bits + 0x7fffu + (bits >> 16 & 1u)) >> 16;
}

__device__ __forceinline__ uint32_t to_tf32(float x) {
#if defined(__CUDA_ARCH__) && __CUDA_ARCH__ >= 800
  uint32_t result;
  asm("cvt.rna.tf32.f32 %0, %1;" : "=r"(result) : "f"(x));
  return result;
#else
  return round_to_tf32(__float_as_uint(x));
#endif
}

/// Two bfloat16: low in the lower half.
__device__ __forceinline__ uint32_t pack_bf16(float low, float high) {
#if defined(__CUDA_ARCH__) && __CUDA_ARCH__ >= 800
  uint32_t result;
  asm("cvt.rn.bf16x2.f32 %0, %1, %2;" : "=r"(result) : "f"(high), "f"(low));
  return result;
#else
  return round_to_bf16(__float_as_uint(low)) | round_to_bf16(__float_as_uint(high)) << 16;
#endif
}
__device__ __forceinline__ float bf16_low(uint32_t packed) { return __uint_as_float(packed << 16); }
__device__ __forceinline__ float bf16_high(uint32_t packed) { return __uint_as_float(packed & 0xffff0000u); }

#if defined(__CUDACC__)

__device__ __forceinline__ void mma_m16n8k8_tf32(float (&d)[4], const uint32_t (&a)[4], const uint32_t (&b)[2]) {
#if __CUDA_ARCH__ >= 800
  asm volatile(
      "mma.sync.aligned.m16n8k8.row.col.f32.tf32.tf32.f32 {%0, %1, %2, %3}, {%4, %5, %6, %7}, {%8, %9}, "
      "{%0, %1, %2, %3};"
      : "+f"(d[0]), "+f"(d[1]), "+f"(d[2]), "+f"(d[3])
      : "r"(a[0]), "r"(a[1]), "r"(a[2]), "r"(a[3]), "r"(b[0]), "r"(b[1]));
#else
  __trap();
#endif
}

__device__ __forceinline__ void mma_m16n8k16_bf16(float (&d)[4], const uint32_t (&a)[4], const uint32_t (&b)[2]) {
#if __CUDA_ARCH__ >= 800
  asm volatile(
      "mma.sync.aligned.m16n8k16.row.col.f32.bf16.bf16.f32 {%0, %1, %2, %3}, {%4, %5, %6, %7}, {%8, %9}, "
      "{%0, %1, %2, %3};"
      : "+f"(d[0]), "+f"(d[1]), "+f"(d[2]), "+f"(d[3])
      : "r"(a[0]), "r"(a[1]), "r"(a[2]), "r"(a[3]), "r"(b[0]), "r"(b[1]));
#else
  __trap();
#endif
}

__device__ __forceinline__ void ldmatrix_x4(uint32_t (&r)[4], const void* row) {
  asm volatile("ldmatrix.sync.aligned.m8n8.x4.shared.b16 {%0, %1, %2, %3}, [%4];"
               : "=r"(r[0]), "=r"(r[1]), "=r"(r[2]), "=r"(r[3])
               : "r"(shared_address(row))
               : "memory");
}
__device__ __forceinline__ void ldmatrix_x4_trans(uint32_t (&r)[4], const void* row) {
  asm volatile("ldmatrix.sync.aligned.m8n8.x4.trans.shared.b16 {%0, %1, %2, %3}, [%4];"
               : "=r"(r[0]), "=r"(r[1]), "=r"(r[2]), "=r"(r[3])
               : "r"(shared_address(row))
               : "memory");
}
/// Two matrices: the addresses of lanes 16 … 31 are not used, but must be valid.
__device__ __forceinline__ void ldmatrix_x2(uint32_t (&r)[2], const void* row) {
  asm volatile("ldmatrix.sync.aligned.m8n8.x2.shared.b16 {%0, %1}, [%2];"
               : "=r"(r[0]), "=r"(r[1])
               : "r"(shared_address(row))
               : "memory");
}
__device__ __forceinline__ void ldmatrix_x2_trans(uint32_t (&r)[2], const void* row) {
  asm volatile("ldmatrix.sync.aligned.m8n8.x2.trans.shared.b16 {%0, %1}, [%2];"
               : "=r"(r[0]), "=r"(r[1])
               : "r"(shared_address(row))
               : "memory");
}

#else

inline void mma_m16n8k8_tf32(float (&d)[4], const uint32_t (&a)[4], const uint32_t (&b)[2],
                             simt::Site site = simt::Site::here()) {
  simt::mma_m16n8k8_tf32(d, a, b, site);
}
inline void mma_m16n8k16_bf16(float (&d)[4], const uint32_t (&a)[4], const uint32_t (&b)[2],
                              simt::Site site = simt::Site::here()) {
  simt::mma_m16n8k16_bf16(d, a, b, site);
}
inline void ldmatrix_x4(uint32_t (&r)[4], const void* row, simt::Site site = simt::Site::here()) {
  simt::ldmatrix(r, 4, false, row, site);
}
inline void ldmatrix_x4_trans(uint32_t (&r)[4], const void* row, simt::Site site = simt::Site::here()) {
  simt::ldmatrix(r, 4, true, row, site);
}
inline void ldmatrix_x2(uint32_t (&r)[2], const void* row, simt::Site site = simt::Site::here()) {
  simt::ldmatrix(r, 2, false, row, site);
}
inline void ldmatrix_x2_trans(uint32_t (&r)[2], const void* row, simt::Site site = simt::Site::here()) {
  simt::ldmatrix(r, 2, true, row, site);
}

#endif

}  // namespace downhill::cuda
