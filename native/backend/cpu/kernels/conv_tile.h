// The inner kernel of convolutions: as that of the matrix product, with three loops in place of one over k, since the
// terms of a sum lie in rows of an image.
#pragma once
#include "backend/cpu/kernels/matmul_vec.h"
#include "backend/cpu/kernels/tile_table.h"

namespace downhill::cpu::DH_ISA {
namespace {

/// c (R, V vectors) = or += Σ_i Σ_j Σ_p a[r · a_row + i · a_step[0] + j · a_step[1] + p · a_step[2]] · b[…], plus bias.
struct ConvTile {
  int64_t count[3];
  const float* a;
  int64_t a_row, a_step[3];
  const float* b;  // readable for V whole vectors
  int64_t b_step[3];
  float* c;
  int64_t ldc;
  bool accumulate;
  const float* bias;  // added last; null: none
  int last;           // columns of the last vector that exist, 1 … kWidth
};

template <int R, int V>
void conv_tile(const ConvTile& args) {
  constexpr int kGroup = 3;  // rows addressed from one pointer
  const int64_t a_row = args.a_row, a_step = args.a_step[2], b_step = args.b_step[2], ldc = args.ldc;
  const float* rows[(R + kGroup - 1) / kGroup];
  for (int g = 0; g * kGroup < R; ++g) rows[g] = args.a + g * kGroup * a_row;
  const float* b = args.b;
  float* const c = args.c;

  Vec sum[R][V];
#pragma GCC unroll 16
  for (int r = 0; r < R; ++r)
#pragma GCC unroll 4
    for (int v = 0; v < V; ++v) sum[r][v] = zero();

  const int64_t inner = args.count[2];
  const int64_t a_next = args.a_step[1] - inner * a_step, b_next = args.b_step[1] - inner * b_step;
  const int64_t a_outer = args.a_step[0] - args.count[1] * args.a_step[1];
  const int64_t b_outer = args.b_step[0] - args.count[1] * args.b_step[1];
  for (int64_t i = args.count[0]; i > 0; --i) {
    for (int64_t j = args.count[1]; j > 0; --j) {
      for (int64_t p = inner; p > 0; --p) {
        Vec x[V];
#pragma GCC unroll 4
        for (int v = 0; v < V; ++v) x[v] = load(b + v * kWidth);
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
#pragma GCC unroll 8
      for (int g = 0; g * kGroup < R; ++g) rows[g] += a_next;
      b += b_next;
    }
#pragma GCC unroll 8
    for (int g = 0; g * kGroup < R; ++g) rows[g] += a_outer;
    b += b_outer;
  }

  const int last = args.last;
  for (int r = 0; r < R; ++r) {
#pragma GCC unroll 4
    for (int v = 0; v < V; ++v) {
      float* const to = c + r * ldc + v * kWidth;
      const bool whole = v + 1 < V || last == kWidth;
      if (args.accumulate) sum[r][v] = add(whole ? load(to) : load_first(to, last), sum[r][v]);
      if (args.bias) {
        const float* const from = args.bias + v * kWidth;
        sum[r][v] = add(sum[r][v], whole ? load(from) : load_first(from, last));
      }
      if (whole)
        store(to, sum[r][v]);
      else
        store_first(to, sum[r][v], last);
    }
  }
}

struct ConvTiles {
  using Kernel = void (*)(const ConvTile&);
  template <int R, int V>
  static constexpr Kernel kernel() {
    return conv_tile<R, V>;
  }
};

/// Rows in as few tiles as possible, of even height: body(first, height).
template <typename F>
DH_HOST_DEVICE void for_tiles(int64_t rows, F&& body) {
  if (rows <= 0) return;
  const int64_t count = ceil_div(rows, kTileRows), base = rows / count, taller = rows % count;
  for (int64_t t = 0, row = 0; t < count; ++t) {
    const int64_t height = base + (t < taller);
    body(row, height);
    row += height;
  }
}

}  // namespace
}  // namespace downhill::cpu::DH_ISA
