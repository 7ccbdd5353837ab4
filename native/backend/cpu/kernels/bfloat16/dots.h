// Two strips multiplied with dot products of pairs (vdpbf16ps), 8 by 32 sums at a time.
#pragma once
#include "backend/cpu/kernels/bfloat16/strips.h"

namespace downhill::cpu::DH_ISA {
namespace {

struct Engine {};  // no state of the thread

constexpr int kHeight = 8;  // rows whose sums are in registers

/// One depth of rows of a, which point into its tile, and b.
template <int Cols>
DH_HOST_DEVICE void add_dots(const std::byte* a, const std::byte* b, __m512 (&sum)[kHeight][Cols]) {
  for (int p = 0; p < kTile; ++p) {
    __m512bh x[Cols];
#pragma GCC unroll 2
    for (int v = 0; v < Cols; ++v) x[v] = (__m512bh)_mm512_load_si512(b + v * kTileBytes + p * 64);
#pragma GCC unroll 8
    for (int r = 0; r < kHeight; ++r) {
      int pair;
      __builtin_memcpy(&pair, a + r * 64 + p * 4, 4);
      const __m512bh w = (__m512bh)_mm512_set1_epi32(pair);
#pragma GCC unroll 2
      for (int v = 0; v < Cols; ++v) sum[r][v] = _mm512_dpbf16_ps(sum[r][v], w, x[v]);
    }
  }
}

DH_HOST_DEVICE int64_t offset_of(int row) { return row / kTile * kTileBytes + row % kTile * 64; }

/// c (16 Rows, 16 Cols) = or += a · b.
template <int Parts, int Rows, int Cols>
void multiply_strips(const StripArgs& args) {
  static_assert(Parts == 1);
  Ahead ahead(args);
  for (int row = 0; row < Rows * kTile; row += kHeight) {
    float* const c = args.c + row * args.ldc;
    __m512 sum[kHeight][Cols];
#pragma GCC unroll 8
    for (int r = 0; r < kHeight; ++r)
#pragma GCC unroll 2
      for (int v = 0; v < Cols; ++v)
        sum[r][v] = args.accumulate ? _mm512_loadu_ps(c + r * args.ldc + v * kTile) : _mm512_setzero_ps();
    const std::byte *a = args.a + offset_of(row), *b = args.b;
    for (int64_t d = args.depths; d > 0; --d, a += kPartBytes, b += kPartBytes) {
      ahead.fetch();
      add_dots<Cols>(a, b, sum);
    }
#pragma GCC unroll 8
    for (int r = 0; r < kHeight; ++r)
#pragma GCC unroll 2
      for (int v = 0; v < Cols; ++v) _mm512_storeu_ps(c + r * args.ldc + v * kTile, sum[r][v]);
  }
}

/// c (16 Rows, 16 Cols), rows kStrip apart, = a · b over runs of depths: walk(add) calls add(a, b, depths, a_step) for
/// each, where a's depths lie a_step apart.
template <int Parts, int Rows, int Cols, typename Walk>
void multiply_runs(const Walk& walk, float* c) {
  static_assert(Parts == 1);
  for (int row = 0; row < Rows * kTile; row += kHeight) {
    __m512 sum[kHeight][Cols];
#pragma GCC unroll 8
    for (int r = 0; r < kHeight; ++r)
#pragma GCC unroll 2
      for (int v = 0; v < Cols; ++v) sum[r][v] = _mm512_setzero_ps();
    walk([&](const std::byte* a, const std::byte* b, int64_t depths, int64_t a_step) __attribute__((always_inline)) {
      a += offset_of(row);
      for (; depths > 0; --depths, a += a_step, b += kPartBytes) add_dots<Cols>(a, b, sum);
    });
#pragma GCC unroll 8
    for (int r = 0; r < kHeight; ++r)
#pragma GCC unroll 2
      for (int v = 0; v < Cols; ++v) _mm512_storeu_ps(c + (row + r) * kStrip + v * kTile, sum[r][v]);
  }
}

/// sums = a · b, of Cols tiles' columns.
template <int Parts, int Cols>
void multiply_row(const RowArgs& args) {
  StripArgs strip = {args.a, args.b, args.depths, args.sums, kRowSums, false, args.sums, 0, 0};
  multiply_strips<Parts, 1, Cols >= 2 ? 2 : 1>(strip);
  if constexpr (Cols > 2) {
    strip.b += args.b_strip, strip.c += kStrip;
    multiply_strips<Parts, 1, Cols - 2>(strip);
  }
}

}  // namespace
}  // namespace downhill::cpu::DH_ISA
