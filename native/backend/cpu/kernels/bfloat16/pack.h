// Packing of strips: rounds an operand to bfloat16, or splits it into three parts, on the way.
#pragma once
#include "backend/cpu/kernels/bfloat16/strips.h"
#include "backend/cpu/kernels/matmul_finish.h"

namespace downhill::cpu::DH_ISA {
namespace {

/// Operands rounded to bfloat16, to nearest even: x and y become pairs, those of one line or one of each.
struct Rounded {
  static constexpr int kParts = 1;
  static constexpr bool kNatural = true;  // a pair is of two neighbours of k
  template <bool AlongK>
  DH_HOST_DEVICE void pairs(__m512 x, __m512 y, __m512i (&to)[kParts]) {
    const __m512i words = (__m512i)_mm512_cvtne2ps_pbh(y, x);
    to[0] = AlongK ? words : _mm512_permutexvar_epi16(interleave, words);
  }
  DH_HOST_DEVICE uint32_t most() const { return 0; }

 private:
  const __m512i interleave = _mm512_set_epi16(31, 15, 30, 14, 29, 13, 28, 12, 27, 11, 26, 10, 25, 9, 24, 8, 23, 7, 22,
                                              6, 21, 5, 20, 4, 19, 3, 18, 2, 17, 1, 16, 0);
};

/// Operands times kScale as sums of three bfloat16, exactly: 24 bits, 8 in each, signs where one rounds up. The
/// processor takes denormal parts and products for 0; scaled, none of the first is denormal, and none of the second
/// counts.
struct Split {
  static constexpr int kParts = 3;
  static constexpr bool kNatural = false;  // a pair is of k and k + 16
  static constexpr float kScale = 0x1p24f;
  template <bool AlongK>
  DH_HOST_DEVICE void pairs(__m512 x, __m512 y, __m512i (&to)[kParts]) {
    x = _mm512_mul_ps(x, _mm512_set1_ps(kScale)), y = _mm512_mul_ps(y, _mm512_set1_ps(kScale));
    see(x);
    see(y);
    __m512 high_x = high(x), high_y = high(y);
    to[0] = words(high_x, high_y);
    x = _mm512_sub_ps(x, high_x), y = _mm512_sub_ps(y, high_y);
    high_x = high(x), high_y = high(y);
    to[1] = words(high_x, high_y);
    to[2] = words(_mm512_sub_ps(x, high_x), _mm512_sub_ps(y, high_y));
  }
  /// Bits of the largest magnitude; NaN is above infinity.
  DH_HOST_DEVICE uint32_t most() const { return _mm512_reduce_max_epu32(seen); }

 private:
  /// To nearest, ties away from 0.
  DH_HOST_DEVICE static __m512 high(__m512 x) {
    const __m512i bits = _mm512_add_epi32(_mm512_castps_si512(x), _mm512_set1_epi32(0x8000));
    return _mm512_castsi512_ps(_mm512_and_si512(bits, _mm512_set1_epi32(static_cast<int>(0xffff0000))));
  }
  DH_HOST_DEVICE static __m512i words(__m512 x, __m512 y) {
    return _mm512_or_si512(_mm512_srli_epi32(_mm512_castps_si512(x), 16), _mm512_castps_si512(y));
  }
  DH_HOST_DEVICE void see(__m512 x) {
    const __m512i bits = _mm512_and_si512(_mm512_castps_si512(x), _mm512_set1_epi32(0x7fffffff));
    seen = _mm512_max_epu32(seen, bits);
  }
  __m512i seen = _mm512_setzero_si512();
};

inline uint32_t largest(const uint32_t* bits, int64_t count) {
  uint32_t most = 0;
  for (int64_t i = 0; i < count; ++i) most = most > bits[i] ? most : bits[i];
  return most;
}

/// Whether sums of k products of split operands are finite, by the bits of the largest magnitudes.
inline bool are_in_range(uint32_t a, uint32_t b, int64_t k) {
  constexpr int kMost = 125;  // exponent of what may be rounded up, and of sums
  const int of_a = static_cast<int>(a >> 23) - 127, of_b = static_cast<int>(b >> 23) - 127;
  int growth = 0;
  while (growth < 62 && int64_t{1} << growth < k) ++growth;
  return of_a <= kMost && of_b <= kMost && of_a + of_b + growth <= kMost;
}

/// 16 by 16 elements of 32 bits, in place.
DH_HOST_DEVICE void transpose(__m512i (&v)[16]) {
  __m512i t[16];
#pragma GCC unroll 8
  for (int i = 0; i < 16; i += 2) {
    t[i] = _mm512_unpacklo_epi32(v[i], v[i + 1]);
    t[i + 1] = _mm512_unpackhi_epi32(v[i], v[i + 1]);
  }
#pragma GCC unroll 4
  for (int i = 0; i < 16; i += 4) {
    v[i] = _mm512_unpacklo_epi64(t[i], t[i + 2]);
    v[i + 1] = _mm512_unpackhi_epi64(t[i], t[i + 2]);
    v[i + 2] = _mm512_unpacklo_epi64(t[i + 1], t[i + 3]);
    v[i + 3] = _mm512_unpackhi_epi64(t[i + 1], t[i + 3]);
  }
#pragma GCC unroll 4
  for (int i = 0; i < 4; ++i) {
    t[i] = _mm512_shuffle_i32x4(v[i], v[i + 4], 0x88);
    t[i + 4] = _mm512_shuffle_i32x4(v[i], v[i + 4], 0xdd);
    t[i + 8] = _mm512_shuffle_i32x4(v[i + 8], v[i + 12], 0x88);
    t[i + 12] = _mm512_shuffle_i32x4(v[i + 8], v[i + 12], 0xdd);
  }
#pragma GCC unroll 4
  for (int i = 0; i < 4; ++i) {
    v[i] = _mm512_shuffle_i32x4(t[i], t[i + 8], 0x88);
    v[i + 4] = _mm512_shuffle_i32x4(t[i + 4], t[i + 12], 0x88);
    v[i + 8] = _mm512_shuffle_i32x4(t[i], t[i + 8], 0xdd);
    v[i + 12] = _mm512_shuffle_i32x4(t[i + 4], t[i + 12], 0xdd);
  }
}

/// The first `count` of 16 floats, or fewer than none; the rest are 0.
DH_HOST_DEVICE __m512 load_some(const float* from, int64_t count) {
  if (count >= 16) return _mm512_loadu_ps(from);
  if (count <= 0) return _mm512_setzero_ps();
  return _mm512_maskz_loadu_ps(static_cast<__mmask16>((1u << count) - 1), from);
}

/// One tile of each part: 16 lines (rows of a, columns of b), of which `lines` exist, by 32 of k, of which `depth` do.
/// AlongK: a line lies along memory, lines `ld` apart; else k are. Transposed: rows of the tile are what `ld` separates
/// in the other case.
template <typename Operand, bool AlongK, bool Transposed>
DH_HOST_DEVICE void pack_tile(Operand& operand, const float* from, int64_t ld, int64_t lines, int64_t depth,
                              std::byte* to) {
  constexpr int kParts = Operand::kParts;
  __m512i rows[kParts][16];
#pragma GCC unroll 4
  for (int64_t i = 0; i < 16; ++i) {
    __m512 x, y;
    if constexpr (AlongK) {
      const bool there = i < lines;
      x = load_some(from + i * ld, there ? depth : 0);
      y = load_some(from + i * ld + 16, there ? depth - 16 : 0);
    } else {
      const int64_t first = Operand::kNatural ? 2 * i : i, second = Operand::kNatural ? 2 * i + 1 : i + 16;
      x = load_some(from + first * ld, first < depth ? lines : 0);
      y = load_some(from + second * ld, second < depth ? lines : 0);
    }
    __m512i pairs[kParts];
    operand.template pairs<AlongK>(x, y, pairs);
    for (int p = 0; p < kParts; ++p) {
      if constexpr (Transposed)
        rows[p][i] = pairs[p];
      else
        _mm512_store_si512(to + p * kPartBytes + i * 64, pairs[p]);
    }
  }
  if constexpr (Transposed) {
    for (int p = 0; p < kParts; ++p) {
      transpose(rows[p]);
#pragma GCC unroll 16
      for (int i = 0; i < 16; ++i) _mm512_store_si512(to + p * kPartBytes + i * 64, rows[p][i]);
    }
  }
}

/// An operand as the product reads it: lines are rows of a or columns of b.
struct Source {
  const float* at;
  int64_t ld;
  bool along_k;  // k lies along memory
  bool is_a;
  const float* element(int64_t line, int64_t k) const { return at + (along_k ? line * ld + k : k * ld + line); }
};

/// Packed strips: `strip_bytes` apart, in each depth after depth, part after part, tile after tile.
template <typename Operand, bool AlongK, bool Transposed>
uint32_t pack_as(const Source& source, Range lines, Range depth, std::byte* to, size_t strip_bytes) {
  Operand operand;
  for (int64_t k = depth.begin; k < depth.end; k += kDepth, to += Operand::kParts * kPartBytes)
    for (int64_t l = 0; l < lines.size(); l += kTile) {
      const float* from = source.element(lines.begin + l, k);
      std::byte* tile = to + static_cast<size_t>(l / kStrip) * strip_bytes + l % kStrip / kTile * kTileBytes;
      const int64_t have = lines.size() - l, deep = depth.end - k;
      if (have >= kTile && deep >= kDepth)
        pack_tile<Operand, AlongK, Transposed>(operand, from, source.ld, kTile, kDepth, tile);
      else
        pack_tile<Operand, AlongK, Transposed>(operand, from, source.ld, have, deep, tile);
    }
  return operand.most();
}

/// Rounded up with zeros to whole tiles. Returns the bits of the largest magnitude, where the operand wants them.
template <typename Operand>
uint32_t pack(const Source& source, Range lines, Range depth, std::byte* to, size_t strip_bytes) {
  if (source.along_k)
    return source.is_a ? pack_as<Operand, true, false>(source, lines, depth, to, strip_bytes)
                       : pack_as<Operand, true, true>(source, lines, depth, to, strip_bytes);
  return source.is_a ? pack_as<Operand, false, true>(source, lines, depth, to, strip_bytes)
                     : pack_as<Operand, false, false>(source, lines, depth, to, strip_bytes);
}

}  // namespace
}  // namespace downhill::cpu::DH_ISA
