// One vector of floats per instruction set, and the tile sizes that its register file holds. Only matmul uses it.
// Everything is in an unnamed namespace: a function compiled for AVX-512 must not be merged into the baseline by the
// linker.
#pragma once
#include <cstdint>
#include <cstring>

#include "core/host_device.h"

#if defined(__AVX512F__) || defined(__AVX2__) || defined(__SSE2__)
#include <immintrin.h>
#elif defined(__ARM_NEON)
#include <arm_neon.h>
#endif

namespace downhill::cpu::DH_ISA {
namespace {

#if defined(__AVX512F__)
using Vec = __m512;
constexpr int kWidth = 16;
constexpr int kTileRows = 14, kTileVecs = 2;  // 28 of 32 registers accumulate
DH_HOST_DEVICE Vec zero() { return _mm512_setzero_ps(); }
DH_HOST_DEVICE Vec load(const float* p) { return _mm512_loadu_ps(p); }
DH_HOST_DEVICE void store(float* p, Vec v) { _mm512_storeu_ps(p, v); }
DH_HOST_DEVICE Vec broadcast(const float* p) { return _mm512_set1_ps(*p); }
DH_HOST_DEVICE Vec add(Vec a, Vec b) { return _mm512_add_ps(a, b); }
DH_HOST_DEVICE Vec fma(Vec a, Vec b, Vec c) { return _mm512_fmadd_ps(a, b, c); }
DH_HOST_DEVICE __mmask16 first(int count) { return static_cast<__mmask16>((1u << count) - 1); }
DH_HOST_DEVICE Vec load_first(const float* p, int count) { return _mm512_maskz_loadu_ps(first(count), p); }
DH_HOST_DEVICE void store_first(float* p, Vec v, int count) { _mm512_mask_storeu_ps(p, first(count), v); }
// With a full mask: GCC 12 warns about the plain ones.
DH_HOST_DEVICE Vec low_pairs(Vec a, Vec b) { return _mm512_maskz_unpacklo_ps(0xffff, a, b); }
DH_HOST_DEVICE Vec high_pairs(Vec a, Vec b) { return _mm512_maskz_unpackhi_ps(0xffff, a, b); }
DH_HOST_DEVICE Vec low_halves(Vec a, Vec b) { return _mm512_shuffle_ps(a, b, 0x44); }
DH_HOST_DEVICE Vec high_halves(Vec a, Vec b) { return _mm512_shuffle_ps(a, b, 0xee); }
/// The sum of its lanes of four floats.
DH_HOST_DEVICE void store_folded(float* to, Vec v) {
  const __m256 half = _mm256_add_ps(_mm512_castps512_ps256(v), _mm512_maskz_extractf32x8_ps(0xff, v, 1));
  _mm_storeu_ps(to, _mm_add_ps(_mm256_castps256_ps128(half), _mm256_extractf128_ps(half, 1)));
}
/// Lane l of four floats comes from p + l · step, or from rows[4 l] + offset.
DH_HOST_DEVICE Vec load_lanes(const float* p, int64_t step) {
  Vec v = _mm512_castps128_ps512(_mm_loadu_ps(p));
  v = _mm512_mask_broadcast_f32x4(v, 0x00f0, _mm_loadu_ps(p + step));
  v = _mm512_mask_broadcast_f32x4(v, 0x0f00, _mm_loadu_ps(p + 2 * step));
  return _mm512_mask_broadcast_f32x4(v, 0xf000, _mm_loadu_ps(p + 3 * step));
}
DH_HOST_DEVICE Vec load_lanes(const float* const* rows, int64_t offset) {
  Vec v = _mm512_castps128_ps512(_mm_loadu_ps(rows[0] + offset));
  v = _mm512_mask_broadcast_f32x4(v, 0x00f0, _mm_loadu_ps(rows[4] + offset));
  v = _mm512_mask_broadcast_f32x4(v, 0x0f00, _mm_loadu_ps(rows[8] + offset));
  return _mm512_mask_broadcast_f32x4(v, 0xf000, _mm_loadu_ps(rows[12] + offset));
}

#elif defined(__AVX2__)
using Vec = __m256;
constexpr int kWidth = 8;
constexpr int kTileRows = 6, kTileVecs = 2;  // 12 of 16 registers accumulate
DH_HOST_DEVICE Vec zero() { return _mm256_setzero_ps(); }
DH_HOST_DEVICE Vec load(const float* p) { return _mm256_loadu_ps(p); }
DH_HOST_DEVICE void store(float* p, Vec v) { _mm256_storeu_ps(p, v); }
DH_HOST_DEVICE Vec broadcast(const float* p) { return _mm256_broadcast_ss(p); }
DH_HOST_DEVICE Vec add(Vec a, Vec b) { return _mm256_add_ps(a, b); }
DH_HOST_DEVICE Vec fma(Vec a, Vec b, Vec c) { return _mm256_fmadd_ps(a, b, c); }
DH_HOST_DEVICE __m256i first(int count) {
  return _mm256_cmpgt_epi32(_mm256_set1_epi32(count), _mm256_setr_epi32(0, 1, 2, 3, 4, 5, 6, 7));
}
DH_HOST_DEVICE Vec load_first(const float* p, int count) { return _mm256_maskload_ps(p, first(count)); }
DH_HOST_DEVICE void store_first(float* p, Vec v, int count) {  // masked stores are microcoded on some processors
  float lanes[kWidth];
  _mm256_storeu_ps(lanes, v);
  for (int i = 0; i < count; ++i) p[i] = lanes[i];
}
DH_HOST_DEVICE Vec low_pairs(Vec a, Vec b) { return _mm256_unpacklo_ps(a, b); }
DH_HOST_DEVICE Vec high_pairs(Vec a, Vec b) { return _mm256_unpackhi_ps(a, b); }
DH_HOST_DEVICE Vec low_halves(Vec a, Vec b) { return _mm256_shuffle_ps(a, b, 0x44); }
DH_HOST_DEVICE Vec high_halves(Vec a, Vec b) { return _mm256_shuffle_ps(a, b, 0xee); }
DH_HOST_DEVICE void store_folded(float* to, Vec v) {
  _mm_storeu_ps(to, _mm_add_ps(_mm256_castps256_ps128(v), _mm256_extractf128_ps(v, 1)));
}
DH_HOST_DEVICE Vec load_lanes(const float* p, int64_t step) {
  return _mm256_insertf128_ps(_mm256_castps128_ps256(_mm_loadu_ps(p)), _mm_loadu_ps(p + step), 1);
}
DH_HOST_DEVICE Vec load_lanes(const float* const* rows, int64_t offset) {
  return _mm256_insertf128_ps(_mm256_castps128_ps256(_mm_loadu_ps(rows[0] + offset)), _mm_loadu_ps(rows[4] + offset),
                              1);
}

#else  // four floats: SSE2, NEON, and whatever the compiler makes of a vector of 16 bytes
typedef float Vec __attribute__((vector_size(16)));
constexpr int kWidth = 4;
#if defined(__ARM_NEON)
constexpr int kTileRows = 7, kTileVecs = 3;  // 21 of 32 registers accumulate; with 24 GCC spills
#else
constexpr int kTileRows = 4, kTileVecs = 2;
#endif
DH_HOST_DEVICE Vec zero() { return Vec{}; }
DH_HOST_DEVICE Vec load(const float* p) {
  Vec v;
  std::memcpy(&v, p, sizeof v);
  return v;
}
DH_HOST_DEVICE void store(float* p, Vec v) { std::memcpy(p, &v, sizeof v); }
DH_HOST_DEVICE Vec broadcast(const float* p) { return Vec{*p, *p, *p, *p}; }
DH_HOST_DEVICE Vec add(Vec a, Vec b) { return a + b; }
DH_HOST_DEVICE Vec fma(Vec a, Vec b, Vec c) {
#if defined(__ARM_NEON)
  return (Vec)vfmaq_f32((float32x4_t)c, (float32x4_t)a, (float32x4_t)b);
#else
  return a * b + c;
#endif
}
DH_HOST_DEVICE Vec load_first(const float* p, int count) {
  float lanes[kWidth] = {};
  for (int i = 0; i < count; ++i) lanes[i] = p[i];
  return load(lanes);
}
DH_HOST_DEVICE void store_first(float* p, Vec v, int count) {
  for (int i = 0; i < count; ++i) p[i] = v[i];
}
DH_HOST_DEVICE Vec low_pairs(Vec a, Vec b) { return __builtin_shufflevector(a, b, 0, 4, 1, 5); }
DH_HOST_DEVICE Vec high_pairs(Vec a, Vec b) { return __builtin_shufflevector(a, b, 2, 6, 3, 7); }
DH_HOST_DEVICE Vec low_halves(Vec a, Vec b) { return __builtin_shufflevector(a, b, 0, 1, 4, 5); }
DH_HOST_DEVICE Vec high_halves(Vec a, Vec b) { return __builtin_shufflevector(a, b, 2, 3, 6, 7); }
DH_HOST_DEVICE void store_folded(float* to, Vec v) { store(to, v); }
DH_HOST_DEVICE Vec load_lanes(const float* p, int64_t) { return load(p); }
DH_HOST_DEVICE Vec load_lanes(const float* const* rows, int64_t offset) { return load(rows[0] + offset); }
#endif

/// Keeps the compiler from loading it again for each use, which costs twice where a vector crosses a cache line.
DH_HOST_DEVICE void keep([[maybe_unused]] Vec& v) {
#if defined(__AVX512F__)
  asm("" : "+v"(v));
#elif defined(__SSE2__)
  asm("" : "+x"(v));
#elif defined(__ARM_NEON)
  asm("" : "+w"(v));
#endif
}

/// The sums of all elements of four vectors.
DH_HOST_DEVICE void store_totals(float* to, Vec a, Vec b, Vec c, Vec d) {
  const Vec ab = add(low_pairs(a, b), high_pairs(a, b)), cd = add(low_pairs(c, d), high_pairs(c, d));
  store_folded(to, add(low_halves(ab, cd), high_halves(ab, cd)));
}

constexpr int kTileCols = kTileVecs * kWidth;

// Not std::min and std::max: a copy of those compiled here could be merged into the baseline.
DH_HOST_DEVICE int64_t smaller(int64_t a, int64_t b) { return a < b ? a : b; }
DH_HOST_DEVICE int64_t larger(int64_t a, int64_t b) { return a > b ? a : b; }
DH_HOST_DEVICE int64_t ceil_div(int64_t a, int64_t b) { return (a + b - 1) / b; }

}  // namespace
}  // namespace downhill::cpu::DH_ISA
