// The inner kernel: a tile of c, R rows by V vectors, stays in registers while k runs.
#pragma once
#include "backend/cpu/kernels/matmul_vec.h"
#include "backend/cpu/kernels/tile_table.h"

namespace downhill::cpu::DH_ISA {
namespace {

/// c (R, V vectors) = or += Σ_p a[r · a_row + p · a_step] · b[p · b_step + column], plus bias.
struct TileArgs {
  int64_t k;
  const float* a;
  int64_t a_row, a_step;
  const float* ahead;  // fetched ahead: in step p a line at ahead + (p mod 16) · ahead_row + ⌊p / 16⌋ · ahead_line
  int64_t ahead_row, ahead_line;
  const float* b;  // readable for V whole vectors in every row
  int64_t b_step;
  float* c;
  int64_t ldc;
  bool accumulate;    // add to c, which holds the sum over earlier k
  const float* bias;  // added last; null: none
  int last;           // columns of the last vector that exist, 1 … kWidth
};

/// As an integer: what is read may end before.
DH_HOST_DEVICE void prefetch_at(const float* a, int64_t offset) {
  __builtin_prefetch(
      reinterpret_cast<const void*>(reinterpret_cast<uintptr_t>(a) + static_cast<uintptr_t>(offset) * sizeof(float)));
}

/// b in place may have its rows so far apart that the processor does not see them coming.
DH_HOST_DEVICE void prefetch_rows(const float* b, int64_t step, int vecs) {
#pragma GCC unroll 4
  for (int v = 0; v < vecs; ++v) prefetch_at(b, 16 * step + v * kWidth);
}

/// Every element is one chain of multiply-adds over k, so its bits do not depend on the tile it falls into.
template <int R, int V>
void tile(const TileArgs& args) {
  constexpr int kGroup = 3;  // rows addressed from one pointer: base, base + row, base + 2 row
  const int64_t a_row = args.a_row, a_step = args.a_step, b_step = args.b_step, ldc = args.ldc;
  const float* const ahead = args.ahead;
  const int64_t ahead_row = args.ahead_row, ahead_line = args.ahead_line;
  const float* rows[(R + kGroup - 1) / kGroup];
  for (int g = 0; g * kGroup < R; ++g) rows[g] = args.a + g * kGroup * a_row;
  const float* b = args.b;
  float* c = args.c;
  for (int r = 0; r < R; ++r) {
    __builtin_prefetch(c + r * ldc, 1);
    if (V > 1) __builtin_prefetch(c + r * ldc + args.last + (V - 1) * kWidth - 1, 1);
  }

  Vec sum[R][V];
#pragma GCC unroll 16
  for (int r = 0; r < R; ++r)
#pragma GCC unroll 4
    for (int v = 0; v < V; ++v) sum[r][v] = zero();

  for (int64_t p = 0; p < args.k; ++p) {
    Vec x[V];
#pragma GCC unroll 4
    for (int v = 0; v < V; ++v) x[v] = load(b + v * kWidth);
    prefetch_at(ahead, (p & 15) * ahead_row + (p >> 4) * ahead_line);
    prefetch_rows(b, b_step, V);
#pragma GCC unroll 16
    for (int r = 0; r < R; ++r) {
      const Vec w = broadcast(rows[r / kGroup] + (r % kGroup) * a_row);
#pragma GCC unroll 4
      for (int v = 0; v < V; ++v) sum[r][v] = fma(w, x[v], sum[r][v]);
    }
#pragma GCC unroll 8
    for (int g = 0; g * kGroup < R; ++g) rows[g] += a_step;
    b += b_step;
  }

  const int last = args.last;
  const bool whole = last == kWidth;
  if (args.accumulate) {
#pragma GCC unroll 16
    for (int r = 0; r < R; ++r) {
#pragma GCC unroll 4
      for (int v = 0; v + 1 < V; ++v) sum[r][v] = add(load(c + r * ldc + v * kWidth), sum[r][v]);
      const float* end = c + r * ldc + (V - 1) * kWidth;
      sum[r][V - 1] = add(whole ? load(end) : load_first(end, last), sum[r][V - 1]);
    }
  }
  if (args.bias) {
#pragma GCC unroll 4
    for (int v = 0; v < V; ++v) {
      const float* from = args.bias + v * kWidth;
      const Vec bias = v + 1 < V || whole ? load(from) : load_first(from, last);
#pragma GCC unroll 16
      for (int r = 0; r < R; ++r) sum[r][v] = add(sum[r][v], bias);
    }
  }
#pragma GCC unroll 16
  for (int r = 0; r < R; ++r) {
#pragma GCC unroll 4
    for (int v = 0; v + 1 < V; ++v) store(c + r * ldc + v * kWidth, sum[r][v]);
    float* end = c + r * ldc + (V - 1) * kWidth;
    if (whole) {
      store(end, sum[r][V - 1]);
    } else {
      store_first(end, sum[r][V - 1], last);
    }
  }
}

struct MatmulTiles {
  using Kernel = void (*)(const TileArgs&);
  template <int R, int V>
  static constexpr Kernel kernel() {
    return tile<R, V>;
  }
};

}  // namespace
}  // namespace downhill::cpu::DH_ISA
