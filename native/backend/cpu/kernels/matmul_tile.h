// The inner kernel: a tile of c, R rows by V vectors, stays in registers while k runs.
#pragma once
#include "backend/cpu/kernels/matmul_vec.h"
#include "backend/cpu/kernels/tile_table.h"

namespace downhill::cpu::DH_ISA {
namespace {

/// What is fetched ahead. Every fetch takes time from the multiply-adds.
enum class Fetch { none, a, a_and_b };

/// c (R, V vectors) = or += Σ_p a[r · a_row + p · a_step] · b[p · b_step + column], plus bias.
struct TileArgs {
  int64_t k;
  const float* a;
  int64_t a_row, a_step;
  const float* ahead = nullptr;  // of a: in step p a line at ahead + (p mod 16) · ahead_row + ⌊p / 16⌋ · ahead_line
  int64_t ahead_row = 0, ahead_line = 0;
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

/// sum[r][v] += Σ_p a[r · a_row + p · a_step] · b[p · b_step + v · kWidth]. Few instructions but the multiply-adds,
/// which share their ports: kAlong, a is read along its rows (a_step is 1), else by columns (a_row is 1).
template <int R, int V, bool kAlong, Fetch kFetch>
DH_HOST_DEVICE void add_products(const TileArgs& args, Vec (&sum)[R][V]) {
  constexpr int kGroup = kAlong ? 3 : R;  // rows addressed from one pointer: base, base + row, base + 2 row
  constexpr int kGroups = (R + kGroup - 1) / kGroup, kUnroll = 4;
  constexpr int64_t kLine = 16;
  const int64_t k = args.k, a_row = kAlong ? args.a_row : 1, a_step = kAlong ? 1 : args.a_step, b_step = args.b_step;
  const float* rows[kGroups];
  for (int g = 0; g < kGroups; ++g) rows[g] = args.a + g * kGroup * a_row;
  const float* b = args.b;
  int64_t ahead = 0;

  const auto step = [&](int64_t offset) {
    Vec x[V];
#pragma GCC unroll 4
    for (int v = 0; v < V; ++v) x[v] = load(b + v * kWidth);
    if (kFetch != Fetch::none) prefetch_at(args.ahead, ahead);
    if (kFetch == Fetch::a_and_b) prefetch_rows(b, b_step, V);
#pragma GCC unroll 16
    for (int r = 0; r < R; ++r) {
      const Vec w = broadcast(rows[r / kGroup] + (r % kGroup) * a_row + offset);
#pragma GCC unroll 4
      for (int v = 0; v < V; ++v) sum[r][v] = fma(w, x[v], sum[r][v]);
    }
    ahead += args.ahead_row;
    b += b_step;
  };
  const auto advance = [&](int64_t steps) {
#pragma GCC unroll 8
    for (int g = 0; g < kGroups; ++g) rows[g] += steps * a_step;
  };

  int64_t p = 0;
  for (; p + kUnroll <= k; p += kUnroll) {
#pragma GCC unroll 4
    for (int u = 0; u < kUnroll; ++u) {
      step(kAlong ? u : 0);
      if (!kAlong) advance(1);
    }
    if (kAlong) advance(kUnroll);
    if (p % kLine == kLine - kUnroll) ahead += args.ahead_line - kLine * args.ahead_row;
  }
  for (; p < k; ++p) {
    step(0);
    advance(1);
  }
}

/// Every element is one chain of multiply-adds over k, so its bits do not depend on the tile it falls into.
template <int R, int V, Fetch kFetch>
void tile(const TileArgs& args) {
  const int64_t ldc = args.ldc;
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
  if (args.a_row == 1) {
    add_products<R, V, false, kFetch>(args, sum);
  } else {
    add_products<R, V, true, kFetch>(args, sum);
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

template <Fetch kFetch = Fetch::none>
struct MatmulTiles {
  using Kernel = void (*)(const TileArgs&);
  template <int R, int V>
  static constexpr Kernel kernel() {
    return tile<R, V, kFetch>;
  }
};

}  // namespace
}  // namespace downhill::cpu::DH_ISA
