// Products with a side of a few rows or columns: their time is that of reading the large operand, which happens once,
// in place, and with vectors along its long side. Its rows or columns that become rows or columns of c are its lines;
// the small operand has the columns, at most kNarrow.
#pragma once
#include "backend/cpu/kernels/matmul_finish.h"
#include "backend/cpu/kernels/matmul_narrow_sums.h"
#include "backend/cpu/kernels/matmul_pack.h"
#include "backend/cpu/pool.h"

namespace downhill::cpu::DH_ISA {
namespace {

constexpr int64_t kNarrow = 8;             // columns
constexpr int64_t kNarrowSums = 4096;      // floats: of the lines that are summed up at once, in the first-level cache
constexpr int64_t kNarrowBlock = 8192;     // floats of the small operand that are read again and again, there, too
constexpr int64_t kNarrowPiece = 16384;    // elements of the large operand that are worth a chunk
constexpr int64_t kNarrowChunks = 16;      // at most
constexpr int64_t kNarrowCached = 1 << 19; // elements of an operand that lies in caches
constexpr int64_t kChain = 512;            // terms that one chain of multiply-adds sums up

struct Narrow {
  const MatmulArgs& args;
  bool tall;  // lines are rows of c; else columns
  int64_t lines, columns, k;
  const float* large;
  int64_t ld;
  bool along_k;  // lines lie along memory
  const float* small;
  int64_t column_step, k_step;

  explicit Narrow(const MatmulArgs& a) : args(a), tall(a.n <= a.m), k(a.k) {
    lines = tall ? a.m : a.n, columns = tall ? a.n : a.m;
    large = tall ? a.a : a.b, small = tall ? a.b : a.a;
    ld = tall ? a.lda : a.ldb;
    along_k = tall ? !a.transpose_a : a.transpose_b;
    const bool column_along_k = tall ? a.transpose_b : !a.transpose_a;
    column_step = column_along_k ? (tall ? a.ldb : a.lda) : 1;
    k_step = column_along_k ? 1 : (tall ? a.ldb : a.lda);
  }
};

/// How it is cut: a function of the shape alone.
struct NarrowCut {
  int64_t pieces = 1;  // of the lines
  int64_t splits = 1;  // of k; their sums are added in order
  int64_t partial_lines = 0, packed_k = 0;
  int64_t partial_floats = 0, packed_floats = 0;

  explicit NarrowCut(const Narrow& of) {
    const int64_t size = of.lines * of.k;
    const int64_t wanted = larger(1, smaller(size / kNarrowPiece, kNarrowChunks));
    if (of.along_k) {
      pieces = smaller(wanted, ceil_div(of.lines, kDotLines));
      splits = larger(1, smaller(wanted / pieces, of.k / 2048));
    } else {
      // Sums of a range of k are written and read again. Long stretches of memory are worth that, and so is that a
      // thread meets the lines of k whose products it made in a pass before.
      const int64_t most = larger(1, of.k / (8 * of.columns));
      if (size >= kNarrowCached) splits = smaller(4, most);
      pieces = larger(1, smaller(wanted / splits, of.lines / 128));
      splits = larger(splits, smaller(wanted / pieces, most));
    }
    if (splits > 1) partial_lines = ceil_div(of.lines, kWidth) * kWidth;
    partial_floats = splits > 1 ? splits * of.columns * partial_lines : 0;
    if (of.along_k && of.k_step != 1) packed_k = ceil_div(of.k, kWidth) * kWidth;
    packed_floats = of.columns * packed_k;
  }
};

bool is_narrow(const Narrow& product) {
  if (product.columns == 0 || product.columns > kNarrow || product.k == 0) return false;
  return product.along_k ? product.k >= 4 * kWidth : product.lines >= kWidth;
}

/// c of some lines: sums, of all splits in order, plus bias. sums (splits, columns, lines)
void give_sums(const Narrow& of, Range lines, const float* sums, int64_t step, int64_t splits, int64_t split_step) {
  const MatmulArgs& args = of.args;
  const auto total = [&](int64_t line, int64_t column) {
    const float* from = sums + column * step + line;
    float sum = from[0];
    for (int64_t s = 1; s < splits; ++s) sum += from[s * split_step];
    return sum;
  };
  if (of.tall) {
    for (int64_t i = 0; i < lines.size(); ++i) {
      float* const to = args.c + (lines.begin + i) * args.ldc;
      for (int64_t j = 0; j < of.columns; ++j) to[j] = args.bias ? total(i, j) + args.bias[j] : total(i, j);
    }
    return finish(args, lines, {0, of.columns});
  }
  for (int64_t j = 0; j < of.columns; ++j) {
    float* const to = args.c + j * args.ldc + lines.begin;
    const float* const bias = args.bias ? args.bias + lines.begin : nullptr;
    for (int64_t i = 0; i < lines.size(); ++i) to[i] = bias ? total(i, j) + bias[i] : total(i, j);
  }
  finish(args, {0, of.columns}, lines);
}

/// sums (columns, lines) of a range of k, where lines lie along memory, and the small operand's columns, too.
void sum_dots(const Narrow& of, const float* small, int64_t small_step, Range lines, Range depth, float* sums,
              int64_t step) {
  const int64_t block = ceil_div(kNarrowBlock / of.columns, kWidth) * kWidth;
  const int64_t groups = ceil_div(of.columns, kDotColumns);
  for (int64_t k0 = depth.begin; k0 < depth.end; k0 += block) {
    Dots dots;
    dots.k = smaller(block, depth.end - k0);
    dots.small_step = small_step;
    dots.sums_step = step;
    dots.accumulate = k0 > depth.begin;
    for (int64_t line = lines.begin; line < lines.end; line += kDotLines) {
      for (int64_t r = 0; r < kDotLines; ++r) dots.lines[r] = of.large + smaller(line + r, lines.end - 1) * of.ld + k0;
      for (int64_t g = 0; g < groups; ++g) {
        const Range columns = part(of.columns, groups, g);
        dots.small = small + columns.begin * small_step + k0;
        dots.sums = sums + columns.begin * step + line - lines.begin;
        dots_of(columns.size())(dots);
      }
    }
  }
}

/// The same where what lies along memory are lines.
void sum_rows(const Narrow& of, Range lines, Range depth, float* sums, int64_t step) {
  Rows rows;
  rows.count = lines.size();
  rows.ld = of.ld;
  rows.k_step = of.k_step, rows.column_step = of.column_step;
  rows.sums_step = step;
  rows.accumulate = false;
  const int64_t groups = ceil_div(of.columns, kRowColumns), chains = ceil_div(depth.size(), kChain);
  float chain_sums[kNarrowSums];
  for (int64_t c = 0; c < chains; ++c) {
    const Range chain = part(depth.size(), chains, c);
    float* const to = c == 0 ? sums : chain_sums;
    rows.k = chain.size();
    rows.lines = of.large + (depth.begin + chain.begin) * of.ld + lines.begin;
    for (int64_t g = 0; g < groups; ++g) {
      const Range columns = part(of.columns, groups, g);
      rows.small = of.small + (depth.begin + chain.begin) * of.k_step + columns.begin * of.column_step;
      rows.sums = to + columns.begin * step;
      rows_of(columns.size())(rows);
    }
    if (c > 0)
      for (int64_t i = 0; i < of.columns * step; i += kWidth) store(sums + i, add(load(sums + i), load(to + i)));
  }
}

/// The small operand's columns along memory.
void pack_small(const Narrow& of, const NarrowCut& cut, float* to) {
  const int64_t pieces = larger(1, of.k * of.columns / kNarrowBlock);
  const auto piece = [&](int64_t index) {
    const Range depth = part(of.k, pieces, index);
    for (int64_t j = 0; j < of.columns; ++j) {
      const float* from = of.small + j * of.column_step;
      for (int64_t p = depth.begin; p < depth.end; ++p) to[j * cut.packed_k + p] = from[p * of.k_step];
    }
  };
  parallel_for(pieces, piece);
}

size_t narrow_scratch(const NarrowCut& cut) {
  return static_cast<size_t>(ceil_div(cut.partial_floats + cut.packed_floats, 16) * 64);
}

void run_narrow(const Narrow& of, const NarrowCut& cut) {
  float* const partial = reinterpret_cast<float*>(of.args.scratch);
  const float* small = of.small;
  int64_t small_step = of.column_step;
  if (cut.packed_floats > 0) {
    float* const packed = partial + cut.partial_floats;
    pack_small(of, cut, packed);
    small = packed, small_step = cut.packed_k;
  }
  const int64_t split_floats = of.columns * cut.partial_lines;
  const int64_t most = kNarrowSums / of.columns / kWidth * kWidth;  // lines at once
  parallel_for(cut.pieces * cut.splits, [&](int64_t index) {
    const int64_t split = index / cut.pieces;
    const Range piece = part(of.lines, cut.pieces, index % cut.pieces), depth = part(of.k, cut.splits, split);
    const int64_t blocks = ceil_div(piece.size(), most);
    for (int64_t b = 0; b < blocks; ++b) {
      const Range own = part(piece.size(), blocks, b), lines = {piece.begin + own.begin, piece.begin + own.end};
      const int64_t step = ceil_div(lines.size(), kWidth) * kWidth;
      alignas(64) float sums[kNarrowSums];
      if (of.along_k)
        sum_dots(of, small, small_step, lines, depth, sums, step);
      else
        sum_rows(of, lines, depth, sums, step);
      if (cut.splits == 1) {
        give_sums(of, lines, sums, step, 1, 0);
        continue;
      }
      for (int64_t j = 0; j < of.columns; ++j) {
        float* const to = partial + split * split_floats + j * cut.partial_lines + lines.begin;
        for (int64_t i = 0; i < lines.size(); ++i) to[i] = sums[j * step + i];
      }
    }
  });
  if (cut.splits == 1) return;
  const int64_t pieces = larger(1, smaller(of.lines * of.columns / kNarrowSums, kNarrowChunks));
  parallel_for(pieces, [&](int64_t index) {
    const Range lines = part(of.lines, pieces, index);
    give_sums(of, lines, partial + lines.begin, cut.partial_lines, cut.splits, split_floats);
  });
}

}  // namespace
}  // namespace downhill::cpu::DH_ISA
