// Philox for many counters at once: one in each 64-bit lane, where a multiplication of 32 bits has room for its
// product.
#pragma once
#include <cstdint>

#include "core/philox.h"

#if defined(__AVX512F__) || defined(__AVX2__)
#include <immintrin.h>
#endif

namespace downhill::cpu::DH_ISA {
namespace {

constexpr int64_t kDrawBlocks = 16;  // counters that are drawn at a time, on every instruction set

#if defined(__AVX512F__) || defined(__AVX2__)

// The upper half of a lane may hold anything: products read the lower one.
#if defined(__AVX512F__)
using Words = __m512i;
constexpr int kLaneCount = 8;
DH_HOST_DEVICE Words fill_words(uint64_t x) { return _mm512_set1_epi64(static_cast<int64_t>(x)); }
DH_HOST_DEVICE Words lane_numbers() { return _mm512_setr_epi64(0, 4, 1, 5, 2, 6, 3, 7); }
DH_HOST_DEVICE Words add_words(Words a, Words b) { return _mm512_add_epi64(a, b); }
DH_HOST_DEVICE Words product_of(Words a, Words b) { return _mm512_maskz_mul_epu32(0xff, a, b); }
// With a full mask: GCC 12 warns about the plain ones.
DH_HOST_DEVICE Words upper_half(Words a) { return _mm512_maskz_shuffle_epi32(0xffff, a, _MM_PERM_DDBB); }
DH_HOST_DEVICE Words exclusive_or_of(Words a, Words b, Words c) { return _mm512_ternarylogic_epi64(a, b, c, 0x96); }
/// Lower halves of both, by turns.
DH_HOST_DEVICE Words pairs_of(Words a, Words b) { return _mm512_mask_shuffle_epi32(a, 0xaaaa, b, _MM_PERM_CCAA); }
DH_HOST_DEVICE void store_pairs(uint32_t* to, Words a, Words b) {
  _mm512_storeu_si512(to, _mm512_maskz_unpacklo_epi64(0xff, a, b));
  _mm512_storeu_si512(to + 16, _mm512_maskz_unpackhi_epi64(0xff, a, b));
}
#else
using Words = __m256i;
constexpr int kLaneCount = 4;
DH_HOST_DEVICE Words fill_words(uint64_t x) { return _mm256_set1_epi64x(static_cast<int64_t>(x)); }
DH_HOST_DEVICE Words lane_numbers() { return _mm256_setr_epi64x(0, 2, 1, 3); }
DH_HOST_DEVICE Words add_words(Words a, Words b) { return _mm256_add_epi64(a, b); }
DH_HOST_DEVICE Words product_of(Words a, Words b) { return _mm256_mul_epu32(a, b); }
DH_HOST_DEVICE Words upper_half(Words a) { return _mm256_shuffle_epi32(a, 0xf5); }
DH_HOST_DEVICE Words exclusive_or_of(Words a, Words b, Words c) { return _mm256_xor_si256(_mm256_xor_si256(a, b), c); }
DH_HOST_DEVICE Words pairs_of(Words a, Words b) { return _mm256_blend_epi32(a, _mm256_slli_epi64(b, 32), 0xaa); }
DH_HOST_DEVICE void store_pairs(uint32_t* to, Words a, Words b) {
  _mm256_storeu_si256(reinterpret_cast<__m256i*>(to), _mm256_unpacklo_epi64(a, b));
  _mm256_storeu_si256(reinterpret_cast<__m256i*>(to + 8), _mm256_unpackhi_epi64(a, b));
}
#endif

/// Two vectors: one waits for the products of the other.
struct Lanes {
  Words a, b;
};
DH_HOST_DEVICE void wide_product(uint32_t factor, const Lanes& x, Lanes& high, Lanes& low) {
  const Words f = fill_words(factor);
  low.a = product_of(f, x.a), low.b = product_of(f, x.b);
  high.a = upper_half(low.a), high.b = upper_half(low.b);
}
DH_HOST_DEVICE Lanes exclusive_or(const Lanes& x, const Lanes& y, uint32_t key) {
  const Words k = fill_words(key);
  return {exclusive_or_of(x.a, y.a, k), exclusive_or_of(x.b, y.b, k)};
}

/// The numbers of counters block … block + kDrawBlocks, four each.
inline void draw(uint64_t key, uint64_t step, uint64_t block, uint32_t* to) {
  for (int64_t at = 0; at < kDrawBlocks; at += 2 * kLaneCount, to += 8 * kLaneCount) {
    Lanes c[4];
    // Even lanes hold the first half of their counters: pairs come out in order.
    c[0].a = add_words(fill_words(block + static_cast<uint64_t>(at)), lane_numbers());
    c[0].b = add_words(c[0].a, fill_words(kLaneCount));
    c[1] = {upper_half(c[0].a), upper_half(c[0].b)};
    c[2].a = c[2].b = fill_words(step);
    c[3].a = c[3].b = fill_words(step >> 32);
    downhill::DH_ISA::philox_rounds(static_cast<uint32_t>(key), static_cast<uint32_t>(key >> 32), c);
    store_pairs(to, pairs_of(c[0].a, c[1].a), pairs_of(c[2].a, c[3].a));
    store_pairs(to + 4 * kLaneCount, pairs_of(c[0].b, c[1].b), pairs_of(c[2].b, c[3].b));
  }
}

#else

inline void draw(uint64_t key, uint64_t step, uint64_t block, uint32_t* to) {
#pragma GCC ivdep
  for (int64_t i = 0; i < kDrawBlocks; ++i) {
    const downhill::DH_ISA::Philox4 r = downhill::DH_ISA::philox(key, step, block + static_cast<uint64_t>(i));
    for (int l = 0; l < 4; ++l) to[4 * i + l] = r.v[l];
  }
}

#endif

}  // namespace
}  // namespace downhill::cpu::DH_ISA
