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

constexpr int64_t kNarrow = 10;             // columns, at most
constexpr int64_t kNarrowSums = 4096;       // floats: of the lines that are summed up at once, in the first-level cache
constexpr int64_t kNarrowBlock = 8192;      // floats of the small operand that are read again and again, there, too
constexpr int64_t kNarrowPacked = 4096;     // floats of it that are packed at once
constexpr int64_t kNarrowPiece = 16384;     // elements of the large operand that are worth a chunk
constexpr int64_t kNarrowChunks = 16;       // at most
constexpr int64_t kNarrowCached = 1 << 19;  // elements of an operand that lies in caches
constexpr int64_t kChain = 512;             // terms that one chain of multiply-adds sums up

struct Narrow {
  const MatmulArgs& args;
  bool tall;  // lines are rows of c; else columns
  int64_t lines, columns, k;
  const float* large;
  int64_t ld;
  bool along_k;  // lines lie along memory
  const float* small;
  bool small_along_k;
  int64_t column_step, k_step;

  explicit Narrow(const MatmulArgs& a) : args(a), tall(a.n <= a.m), k(a.k) {
    lines = tall ? a.m : a.n, columns = tall ? a.n : a.m;
    large = tall ? a.a : a.b, small = tall ? a.b : a.a;
    ld = tall ? a.lda : a.ldb;
    along_k = tall ? !a.transpose_a : a.transpose_b;
    small_along_k = tall ? a.transpose_b : !a.transpose_a;
    column_step = small_along_k ? (tall ? a.ldb : a.lda) : 1;
    k_step = small_along_k ? 1 : (tall ? a.ldb : a.lda);
  }
};

/// How it is cut: a function of the shape alone.
struct NarrowCut {
  int64_t pieces = 1;  // of the lines
  int64_t splits = 1;  // of k; their sums are added in order
  int64_t split_floats = 0, packed_k = 0;
  int64_t partial_floats = 0, packed_floats = 0;

  explicit NarrowCut(const Narrow& of) {
    const int64_t size = of.lines * of.k;
    const int64_t wanted = larger(1, smaller(size / kNarrowPiece, kNarrowChunks));
    if (of.along_k) {
      pieces = smaller(wanted, ceil_div(of.lines, kWidth));
      splits = larger(1, smaller(wanted / pieces, of.k / 2048));
    } else {
      // Sums of a range of k are written and read again. Long stretches of memory are worth that, and so is that a
      // thread meets the lines of k whose products it made in a pass before.
      const int64_t most = larger(1, of.k / (8 * of.columns));
      if (size >= kNarrowCached) splits = smaller(4, most);
      pieces = larger(1, smaller(wanted / splits, of.lines / 128));
      splits = larger(splits, smaller(wanted / pieces, most));
    }
    if (splits > 1) split_floats = ceil_div(of.lines, kWidth) * kWidth * of.columns;
    partial_floats = splits > 1 ? splits * split_floats : 0;
    if (of.along_k && !of.small_along_k) packed_k = ceil_div(of.k, kWidth) * kWidth;
    packed_floats = ceil_div(of.columns, 4) * 4 * packed_k;
  }
};

/// Where this is faster than the kernel for all shapes.
bool is_narrow(const Narrow& of) {
  if (of.columns == 0 || of.k == 0 || (of.along_k ? of.k < 4 * kWidth : of.lines < kWidth)) return false;
  if (of.along_k) return of.columns <= (of.small_along_k ? 8 : kManyRegisters ? 6 : 5);
  if (of.tall) return of.columns <= (kManyRegisters ? kNarrow : 5);
  return of.columns <= (of.lines * of.k < kNarrowCached ? 3 : 4);  // there the other one has vectors along them, too
}

/// c of some lines, from a multiple of kWidth on: sums, of all splits in order, plus bias.
void give_sums(const Narrow& of, Range lines, const float* sums, int64_t splits, int64_t split_floats) {
  const MatmulArgs& args = of.args;
  float block[kNarrow * kWidth];
  for (int64_t line = lines.begin; line < lines.end; line += kWidth) {
    const int width = static_cast<int>(smaller(kWidth, lines.end - line));
    for (int64_t j = 0; j < of.columns; ++j, sums += kWidth) {
      Vec sum = load(sums);
      for (int64_t s = 1; s < splits; ++s) sum = add(sum, load(sums + s * split_floats));
      if (args.bias) {
        const float* const bias = args.bias + (of.tall ? j : line);
        sum = add(sum, of.tall ? broadcast(bias) : load_first(bias, width));
      }
      if (of.tall) {
        store(block + j * kWidth, sum);
      } else {
        store_first(args.c + j * args.ldc + line, sum, width);
      }
    }
    if (!of.tall) continue;
    for (int i = 0; i < width; ++i)
      for (int64_t j = 0; j < of.columns; ++j) args.c[(line + i) * args.ldc + j] = block[j * kWidth + i];
  }
  const Range columns = {0, of.columns};
  finish(args, of.tall ? lines : columns, of.tall ? columns : lines);
}

/// Sums of a range of k, where lines lie along memory, and the small operand's columns, too.
void sum_dots(const Narrow& of, const float* small, int64_t small_step, Range lines, Range depth, float* sums) {
  const int64_t groups = ceil_div(of.columns, kDotColumns);
  const int64_t block = ceil_div(kNarrowBlock / (groups * of.columns), kWidth) * kWidth;
  for (int64_t k0 = depth.begin; k0 < depth.end; k0 += block) {
    Dots dots;
    dots.k = smaller(block, depth.end - k0);
    dots.small_step = small_step;
    dots.accumulate = k0 > depth.begin;
    for (int64_t i = 0; i < lines.size(); i += kDotLines) {
      for (int64_t r = 0; r < kDotLines; ++r)
        dots.lines[r] = of.large + smaller(lines.begin + i + r, lines.end - 1) * of.ld + k0;
      for (int64_t g = 0; g < groups; ++g) {
        const Range columns = part(of.columns, groups, g);
        dots.small = small + columns.begin * small_step + k0;
        dots.sums = sums + i / kWidth * kWidth * of.columns + columns.begin * kWidth + i % kWidth;
        dots_of(columns.size())(dots);
      }
    }
  }
}

/// The same where what lies along memory are lines.
void sum_rows(const Narrow& of, Range lines, Range depth, float* sums) {
  Rows rows;
  rows.count = lines.size();
  rows.ld = of.ld;
  rows.k_step = of.k_step, rows.column_step = of.column_step;
  rows.block_step = of.columns * kWidth;
  rows.accumulate = false;
  const int64_t groups = ceil_div(of.columns, kRowColumns), chains = ceil_div(depth.size(), kChain);
  alignas(64) float chain_sums[kNarrowSums];
  for (int64_t c = 0; c < chains; ++c) {
    const Range chain = part(depth.size(), chains, c);
    float* const to = c == 0 ? sums : chain_sums;
    rows.k = chain.size();
    rows.lines = of.large + (depth.begin + chain.begin) * of.ld + lines.begin;
    for (int64_t g = 0; g < groups; ++g) {
      const Range columns = part(of.columns, groups, g);
      rows.small = of.small + (depth.begin + chain.begin) * of.k_step + columns.begin * of.column_step;
      rows.sums = to + columns.begin * kWidth;
      rows_of(columns.size())(rows);
    }
    if (c == 0) continue;
    for (int64_t i = 0; i < ceil_div(lines.size(), kWidth) * rows.block_step; i += kWidth)
      store(sums + i, add(load(sums + i), load(to + i)));
  }
}

/// to[j · step + i] = from[i · ld + j], i < kWidth, j < 4
DH_HOST_DEVICE void pack_four(const float* from, int64_t ld, float* to, int64_t step) {
  const Vec r0 = load_lanes(from, 4 * ld), r1 = load_lanes(from + ld, 4 * ld);
  const Vec r2 = load_lanes(from + 2 * ld, 4 * ld), r3 = load_lanes(from + 3 * ld, 4 * ld);
  const Vec a = low_pairs(r0, r1), b = low_pairs(r2, r3), c = high_pairs(r0, r1), d = high_pairs(r2, r3);
  store(to, low_halves(a, b));
  store(to + step, high_halves(a, b));
  store(to + 2 * step, low_halves(c, d));
  store(to + 3 * step, high_halves(c, d));
}

/// The small operand's columns along memory.
void pack_small(const Narrow& of, const NarrowCut& cut, float* to) {
  const int64_t vectors = ceil_div(of.k, kWidth), step = of.k_step, packed = cut.packed_k;
  const int64_t pieces = larger(1, smaller(of.k * of.columns / kNarrowPacked, kNarrowChunks));
  parallel_for(pieces, [&](int64_t index) {
    const Range piece = part(vectors, pieces, index);
    const Range depth = {piece.begin * kWidth, smaller(piece.end * kWidth, of.k)};
    for (int64_t column = 0; column < of.columns; column += 4) {
      // Four at a time where all four floats lie within the operand.
      const int64_t behind = (of.k - 1) * step + of.columns - column - 4;
      int64_t p = depth.begin;
      for (; p + kWidth <= depth.end && (p + kWidth - 1) * step <= behind; p += kWidth)
        pack_four(of.small + p * step + column, step, to + column * packed + p, packed);
      for (; p < depth.end; ++p)
        for (int64_t j = column; j < smaller(of.columns, column + 4); ++j) to[j * packed + p] = of.small[p * step + j];
    }
  });
}

size_t narrow_scratch(const NarrowCut& cut) {
  return static_cast<size_t>(ceil_div(cut.partial_floats + cut.packed_floats, 16) * 64);
}

void run_narrow(const Narrow& of, const NarrowCut& cut) {
  float* const partial = reinterpret_cast<float*>(of.args.scratch);
  const float* small = of.small;
  int64_t small_step = of.column_step;
  if (cut.packed_floats > 0 && of.k_step != 1) {
    float* const packed = partial + cut.partial_floats;
    pack_small(of, cut, packed);
    small = packed, small_step = cut.packed_k;
  }
  // Lines in whole blocks, but for the last.
  const int64_t blocks = ceil_div(of.lines, kWidth), most = kNarrowSums / (of.columns * kWidth);
  const auto lines_of = [&](Range own) { return Range{own.begin * kWidth, smaller(own.end * kWidth, of.lines)}; };
  parallel_for(cut.pieces * cut.splits, [&](int64_t index) {
    const int64_t split = index / cut.pieces;
    const Range piece = part(blocks, cut.pieces, index % cut.pieces), depth = part(of.k, cut.splits, split);
    const int64_t passes = ceil_div(piece.size(), most);
    for (int64_t i = 0; i < passes; ++i) {
      alignas(64) float own_sums[kNarrowSums];
      const Range own = part(piece.size(), passes, i);
      const Range lines = lines_of({piece.begin + own.begin, piece.begin + own.end});
      float* const sums = cut.splits == 1 ? own_sums : partial + split * cut.split_floats + lines.begin * of.columns;
      if (of.along_k)
        sum_dots(of, small, small_step, lines, depth, sums);
      else
        sum_rows(of, lines, depth, sums);
      if (cut.splits == 1) give_sums(of, lines, sums, 1, 0);
    }
  });
  if (cut.splits == 1) return;
  const int64_t pieces = larger(1, smaller(of.lines * of.columns / kNarrowSums, kNarrowChunks));
  parallel_for(pieces, [&](int64_t index) {
    const Range lines = lines_of(part(blocks, pieces, index));
    give_sums(of, lines, partial + lines.begin * of.columns, cut.splits, cut.split_floats);
  });
}

}  // namespace
}  // namespace downhill::cpu::DH_ISA
