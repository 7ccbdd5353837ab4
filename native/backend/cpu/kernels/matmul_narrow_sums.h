// The inner kernels of products with a side of a few rows or columns: N of these columns at a time. Sums lie in blocks
// of one vector of lines: (blocks, columns, kWidth).
#pragma once
#include "backend/cpu/kernels/matmul_vec.h"

namespace downhill::cpu::DH_ISA {
namespace {

constexpr bool kManyRegisters = kTileRows * kTileVecs > 16;  // 32, else 16
constexpr int kDotLines = 4;                                 // lines of a tile of dot products
constexpr int kDotColumns = kManyRegisters ? 6 : 3;          // columns of one
constexpr int kRowColumns = 8;
constexpr int kHeld = kManyRegisters ? 16 : 8;  // factors that stay in registers

/// sums[j · kWidth + r] = or += Σ_p lines[r][p] · small[j · small_step + p], p < k
struct Dots {
  int64_t k;
  const float* lines[kDotLines];
  const float* small;
  int64_t small_step;
  float* sums;
  bool accumulate;
};

/// Lane l of each vector sums up the products of p ≡ l; then lanes are added pairwise.
template <int N>
void dots(const Dots& args) {
  const int64_t step = args.small_step;
  const float* const small = args.small;
  Vec sum[kDotLines][N];
#pragma GCC unroll 4
  for (int r = 0; r < kDotLines; ++r)
#pragma GCC unroll 8
    for (int j = 0; j < N; ++j) sum[r][j] = zero();
  int64_t p = 0;
  for (; p + kWidth <= args.k; p += kWidth) {
    Vec s[N];
#pragma GCC unroll 8
    for (int j = 0; j < N; ++j) s[j] = load(small + j * step + p);
#pragma GCC unroll 4
    for (int r = 0; r < kDotLines; ++r) {
      Vec x = load(args.lines[r] + p);
      if constexpr (N > 1) keep(x);
#pragma GCC unroll 8
      for (int j = 0; j < N; ++j) sum[r][j] = fma(x, s[j], sum[r][j]);
    }
  }
  if (p < args.k) {
    const int rest = static_cast<int>(args.k - p);
    Vec s[N];
#pragma GCC unroll 8
    for (int j = 0; j < N; ++j) s[j] = load_first(small + j * step + p, rest);
#pragma GCC unroll 4
    for (int r = 0; r < kDotLines; ++r) {
      const Vec x = load_first(args.lines[r] + p, rest);
#pragma GCC unroll 8
      for (int j = 0; j < N; ++j) sum[r][j] = fma(x, s[j], sum[r][j]);
    }
  }
#pragma GCC unroll 8
  for (int j = 0; j < N; ++j) {
    float* const to = args.sums + j * kWidth;
    float totals[kDotLines];
    store_totals(totals, sum[0][j], sum[1][j], sum[2][j], sum[3][j]);
#pragma GCC unroll 4
    for (int r = 0; r < kDotLines; ++r) to[r] = args.accumulate ? to[r] + totals[r] : totals[r];
  }
}

/// sums (blocks, columns, kWidth) = or += Σ_p lines[p · ld + line] · small[p · k_step + column · column_step], line <
/// count, p < k: a chain of multiply-adds for each.
struct Rows {
  int64_t count, k;
  const float* lines;
  int64_t ld;
  const float* small;
  int64_t k_step, column_step;
  float* sums;         // written to for whole vectors
  int64_t block_step;  // floats
  bool accumulate;
};

/// P of k at a time.
template <int N, int P, bool Accumulate>
void add_rows(const Rows& args, int64_t from) {
  Vec factor[P][N];
#pragma GCC unroll 16
  for (int q = 0; q < P; ++q)
#pragma GCC unroll 8
    for (int j = 0; j < N; ++j) factor[q][j] = broadcast(args.small + (from + q) * args.k_step + j * args.column_step);
  const int64_t ld = args.ld;
  const float* lines = args.lines + from * ld;
  float* to = args.sums;
  int64_t left = args.count;
  for (; left >= kWidth; left -= kWidth, lines += kWidth, to += args.block_step) {
    Vec x[P];
#pragma GCC unroll 16
    for (int q = 0; q < P; ++q) {
      x[q] = load(lines + q * ld);
      if constexpr (N > 1) keep(x[q]);
    }
#pragma GCC unroll 8
    for (int j = 0; j < N; ++j) {
      Vec sum = Accumulate ? load(to + j * kWidth) : zero();
#pragma GCC unroll 16
      for (int q = 0; q < P; ++q) sum = fma(x[q], factor[q][j], sum);
      store(to + j * kWidth, sum);
    }
  }
  if (left == 0) return;
  for (int j = 0; j < N; ++j) {
    Vec sum = Accumulate ? load(to + j * kWidth) : zero();
    for (int q = 0; q < P; ++q) sum = fma(load_first(lines + q * ld, static_cast<int>(left)), factor[q][j], sum);
    store(to + j * kWidth, sum);
  }
}

template <int N, int P>
void add_rows(const Rows& args, int64_t from) {
  if (args.accumulate || from > 0)
    add_rows<N, P, true>(args, from);
  else
    add_rows<N, P, false>(args, from);
}

template <int N>
void rows(const Rows& args) {
  constexpr int kAtOnce = kHeld / N;
  int64_t p = 0;
  for (; p + kAtOnce <= args.k; p += kAtOnce) add_rows<N, kAtOnce>(args, p);
  for (; p < args.k; ++p) add_rows<N, 1>(args, p);
}

template <int Most, typename Fn, template <int> class Kernel>
struct ByColumns {
  Fn of[Most];
  constexpr ByColumns() : of() { fill<Most>(); }
  template <int N>
  constexpr void fill() {
    of[N - 1] = Kernel<N>::run;
    if constexpr (N > 1) fill<N - 1>();
  }
};
template <int N>
struct DotsKernel {
  static void run(const Dots& args) { dots<N>(args); }
};
template <int N>
struct RowsKernel {
  static void run(const Rows& args) { rows<N>(args); }
};
using DotsFn = void (*)(const Dots&);
using RowsFn = void (*)(const Rows&);

/// The kernel of so many columns.
DotsFn dots_of(int64_t columns) {
  static constexpr ByColumns<kDotColumns, DotsFn, DotsKernel> kernels;
  return kernels.of[columns - 1];
}
RowsFn rows_of(int64_t columns) {
  static constexpr ByColumns<kRowColumns, RowsFn, RowsKernel> kernels;
  return kernels.of[columns - 1];
}

}  // namespace
}  // namespace downhill::cpu::DH_ISA
