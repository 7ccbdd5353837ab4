// Matrix product of operands in bfloat16. The smaller operand is packed whole, by all threads; a chunk is a range of
// strips of the other one, which it packs a block at a time and multiplies with all of the first.
#pragma once
#include "backend/cpu/kernels/bfloat16/pack.h"
#if defined(__AMX_BF16__)
#include "backend/cpu/kernels/bfloat16/tiles.h"
#else
#include "backend/cpu/kernels/bfloat16/dots.h"
#endif
#include "backend/cpu/kernels/matmul_finish.h"
#include "backend/cpu/kernels/matmul_vec.h"
#include "backend/cpu/pool.h"

namespace downhill::cpu::DH_ISA {
namespace {

constexpr int64_t kSharedLines = 2048;     // packed at once
constexpr int64_t kMostStrip = 192 << 10;  // bytes
constexpr int64_t kMostBlock = 1 << 20;    // half of the second-level cache
constexpr int64_t kMostChunks = 16;        // there is memory for a block of each
constexpr int64_t kChunkCost = 1 << 15;    // of packing and multiplying, in elements packed: some microseconds
constexpr int64_t kSmall = 12;             // of these: less than waking other threads twice would cost
constexpr int64_t kInline = 1 << 15;       // elements that the caller packs itself
constexpr int64_t kNear = 1 << 20;         // bytes that stay in the second-level cache
constexpr int64_t kFinished = 1 << 13;     // elements that are finished at once
constexpr int64_t kMultiplied = 1 << 6;    // multiplications that cost as much as packing an element, about

/// How a product is cut: a function of the shape alone.
struct Cut {
  bool shares_a;           // else b
  int64_t shared, others;  // lines: rows of a, columns of b
  int64_t depth;           // of k in one pass
  int64_t cost;            // of the whole, in chunks
  int64_t pieces;          // of the depth, in packing what is shared
  int64_t chunks, block;   // of the others: strips of a block
  size_t strip_bytes, shared_bytes, block_bytes;

  int64_t shared_strips() const { return ceil_div(smaller(shared, kSharedLines), kStrip); }
  int64_t other_strips() const { return ceil_div(others, kStrip); }
};

template <int Parts>
Cut cut_of(int64_t m, int64_t n, int64_t k) {
  Cut cut;
  const int64_t most = kMostStrip / (Parts * kPartBytes) * kDepth;
  cut.depth = ceil_div(ceil_div(k, ceil_div(k, most)), kDepth) * kDepth;
  cut.strip_bytes = static_cast<size_t>(cut.depth / kDepth * Parts * kPartBytes);
  // The smaller one is shared; or b, if it is hardly larger and fits: then rows of c are written from end to end.
  const bool along_rows =
      m > kStrip && n < 2 * m && ceil_div(n, kStrip) * static_cast<int64_t>(cut.strip_bytes) <= 2 * kNear;
  cut.shares_a = m <= n && !along_rows;
  cut.shared = cut.shares_a ? m : n, cut.others = cut.shares_a ? n : m;
  const int64_t cost = cut.cost = (cut.others * cut.depth + Parts * (m * n / kMultiplied) * cut.depth) / kChunkCost;
  const bool small = cost < kSmall;
  const int64_t strips = cut.shared_strips(), packing = strips * kStrip * cut.depth / kChunkCost;
  cut.pieces = small ? 1 : smaller(ceil_div(smaller(larger(packing, 1), kMostChunks), strips), cut.depth / kDepth);
  const int64_t other_strips = cut.other_strips(), most_chunks = larger(8, smaller(other_strips / 4, kMostChunks));
  cut.chunks = small ? 1 : smaller(smaller(cost, most_chunks), other_strips);
  cut.shared_bytes = static_cast<size_t>(strips) * cut.strip_bytes;
  // What is shared and far is read once for a block; beside what is near, a strip leaves more of the cache to it.
  const int64_t most_block = static_cast<int64_t>(cut.shared_bytes) <= kNear
                                 ? 1
                                 : larger(1, kMostBlock / static_cast<int64_t>(cut.strip_bytes));
  cut.block = smaller(most_block, ceil_div(other_strips, cut.chunks));
  cut.block_bytes = static_cast<size_t>(cut.block) * cut.strip_bytes;
  return cut;
}

/// Memory for blocks, as many as chunks. A thread takes the one it had last, which is in its cache.
class Blocks {
 public:
  explicit Blocks(int64_t count) : free_(static_cast<uint32_t>((int64_t{1} << count) - 1)) {}
  int64_t take() {
    uint32_t free = __atomic_load_n(&free_, __ATOMIC_RELAXED);
    for (;;) {
      const int block = free >> last_ & 1 ? last_ : __builtin_ctz(free);
      if (__atomic_compare_exchange_n(&free_, &free, free & ~(1u << block), true, __ATOMIC_ACQUIRE, __ATOMIC_RELAXED))
        return last_ = block;
    }
  }
  void give(int64_t block) { __atomic_fetch_or(&free_, 1u << block, __ATOMIC_RELEASE); }

 private:
  uint32_t free_;
  static thread_local int last_;
};
thread_local int Blocks::last_ = 0;

/// One product. Not right before `most` values of a and b have been looked at, if the operand is Split.
template <typename Operand>
struct Product {
  static constexpr int kParts = Operand::kParts;
  const MatmulArgs& args;
  const Cut cut;
  const Source shared, others;
  std::byte *const packed, *const blocks;
  uint32_t *const most_shared, *const most_others;  // by strip and piece; by chunk

  void pack_shared(Range lines, Range depth) const {
    const int64_t strips = ceil_div(lines.size(), kStrip), depths = ceil_div(depth.size(), kDepth);
    const auto one = [&](int64_t index) {
      const int64_t strip = index / cut.pieces, line = lines.begin + strip * kStrip;
      const Range piece = part(depths, cut.pieces, index % cut.pieces);
      std::byte* to = packed + static_cast<size_t>(strip) * cut.strip_bytes + piece.begin * kParts * kPartBytes;
      const uint32_t most =
          pack<Operand>(shared, {line, smaller(line + kStrip, lines.end)},
                        {depth.begin + piece.begin * kDepth, smaller(depth.begin + piece.end * kDepth, depth.end)}, to,
                        cut.strip_bytes);
      if constexpr (kParts > 1) raise(most_shared[line / kStrip * cut.pieces + index % cut.pieces], most);
    };
    if (cut.shared * depth.size() >= kInline) return parallel_for(strips * cut.pieces, one);
    for (int64_t index = 0; index < strips * cut.pieces; ++index) one(index);
  }

  static void raise(uint32_t& to, uint32_t most) { to = to > most ? to : most; }

  /// One pass of a chunk.
  void multiply_chunk(int64_t chunk, std::byte* block, Range lines, Range depth) const {
    [[maybe_unused]] const Engine engine;
    const Range strips = part(cut.other_strips(), cut.chunks, chunk);
    StripArgs strip;
    strip.depths = ceil_div(depth.size(), kDepth);
    for (int64_t first = strips.begin; first < strips.end; first += cut.block) {
      const int64_t count = smaller(cut.block, strips.end - first);
      const uint32_t most = pack<Operand>(others, {first * kStrip, smaller((first + count) * kStrip, cut.others)},
                                          depth, block, cut.strip_bytes);
      if constexpr (kParts > 1) raise(most_others[chunk], most);
      for (int64_t line = lines.begin; line < lines.end; line += kStrip) {
        const std::byte* one = packed + static_cast<size_t>((line - lines.begin) / kStrip) * cut.strip_bytes;
        for (int64_t s = 0; s < count; ++s) {
          const std::byte* other = block + static_cast<size_t>(s) * cut.strip_bytes;
          const int64_t other_line = (first + s) * kStrip;
          strip.a = cut.shares_a ? one : other, strip.b = cut.shares_a ? other : one;
          multiply_block(strip, cut.shares_a ? line : other_line, cut.shares_a ? other_line : line, depth);
        }
      }
    }
    if (depth.end < args.k || by_rows()) return;
    const Range own = {strips.begin * kStrip, smaller(strips.end * kStrip, cut.others)};
    finish(args, cut.shares_a ? lines : own, cut.shares_a ? own : lines);
  }

  /// The sums of one pair of strips, from (row, column) on.
  void multiply_block(StripArgs& strip, int64_t row, int64_t column, Range depth) const {
    const int64_t rows = smaller(kStrip, args.m - row), cols = smaller(kStrip, args.n - column);
    const float* bias = depth.end == args.k && args.bias ? args.bias + column : nullptr;
    float* c = args.c + row * args.ldc + column;
    strip.ahead = c, strip.ahead_ld = args.ldc, strip.ahead_rows = rows;
    const bool accumulate = depth.begin > 0;
    if (kParts == 1 && rows == kStrip && cols == kStrip && !bias) {
      strip.c = c, strip.ldc = args.ldc, strip.accumulate = accumulate;
      return multiply_strips<kParts, 2, 2>(strip);
    }
    // Sums of long k are added up in pieces, as the chains of the float32 kernel are.
    const int64_t depths = strip.depths, piece = kParts == 1 ? depths : ceil_div(depths, ceil_div(depths, kPiece));
    for (int64_t d = 0; d < depths; d += piece) {
      alignas(64) float sums[kStrip * kStrip];
      strip.depths = smaller(piece, depths - d), strip.c = sums, strip.ldc = kStrip, strip.accumulate = false;
      if (rows > kTile)
        cols > kTile ? multiply_strips<kParts, 2, 2>(strip) : multiply_strips<kParts, 2, 1>(strip);
      else
        cols > kTile ? multiply_strips<kParts, 1, 2>(strip) : multiply_strips<kParts, 1, 1>(strip);
      add_sums(sums, c, rows, cols, accumulate || d > 0, d + piece >= depths ? bias : nullptr);
      strip.a += piece * kParts * kPartBytes, strip.b += piece * kParts * kPartBytes;
      strip.ahead_rows = 0;
    }
    strip.depths = depths;
  }

  /// c = or += sums, plus bias.
  void add_sums(const float* sums, float* c, int64_t rows, int64_t cols, bool accumulate, const float* bias) const {
    for (int64_t j = 0; j < cols; j += kWidth) {
      const int width = static_cast<int>(smaller(kWidth, cols - j));
      const Vec last = bias ? load_first(bias + j, width) : zero();
      for (int64_t i = 0; i < rows; ++i) {
        float* to = c + i * args.ldc + j;
        Vec sum = load(sums + i * kStrip + j);
        if constexpr (kParts > 1) sum = _mm512_mul_ps(sum, _mm512_set1_ps(1 / (Operand::kScale * Operand::kScale)));
        if (accumulate) sum = add(load_first(to, width), sum);
        if (bias) sum = add(sum, last);
        store_first(to, sum, width);
      }
    }
  }

  /// Whether sums are finished at the end, in whole rows: short pieces of rows wait for what they read, and whole ones
  /// are still near.
  bool by_rows() const { return cut.shares_a && args.m * args.n * static_cast<int64_t>(sizeof(float)) <= kNear; }

  void finish_rows() const {
    const int64_t rows = larger(1, kFinished / args.n);
    parallel_for(ceil_div(args.m, rows), [&](int64_t piece) {
      finish(args, {piece * rows, smaller((piece + 1) * rows, args.m)}, {0, args.n});
    });
  }

  void run() const {
    for (int64_t line = 0; line < cut.shared; line += kSharedLines)
      for (int64_t k = 0; k < args.k; k += cut.depth) {
        const Range lines = {line, smaller(line + kSharedLines, cut.shared)};
        const Range depth = {k, smaller(k + cut.depth, args.k)};
        pack_shared(lines, depth);
        Blocks free(cut.chunks);
        parallel_for(cut.chunks, [&](int64_t chunk) {
          const int64_t block = free.take();
          multiply_chunk(chunk, blocks + static_cast<size_t>(block) * cut.block_bytes, lines, depth);
          free.give(block);
        });
      }
    if (by_rows() && finishes(args)) finish_rows();
  }
};

template <typename Operand>
size_t product_scratch(int64_t m, int64_t n, int64_t k) {
  if (m == 0 || n == 0 || k == 0) return 0;
  const Cut cut = cut_of<Operand::kParts>(m, n, k);
  size_t bytes = cut.shared_bytes + static_cast<size_t>(cut.chunks) * cut.block_bytes;
  bytes += static_cast<size_t>(ceil_div(cut.shared, kStrip) * cut.pieces + cut.chunks) * sizeof(uint32_t);
  return (bytes + 63) / 64 * 64;
}

/// m and n are above 0.
template <typename Operand>
Product<Operand> product_of(const MatmulArgs& args) {
  const Cut cut = cut_of<Operand::kParts>(args.m, args.n, larger(args.k, 1));
  const Source a = {args.a, args.lda, !args.transpose_a, true}, b = {args.b, args.ldb, args.transpose_b, false};
  std::byte* const blocks = args.scratch + cut.shared_bytes;
  auto* const most = reinterpret_cast<uint32_t*>(blocks + static_cast<size_t>(cut.chunks) * cut.block_bytes);
  return {args,
          cut,
          cut.shares_a ? a : b,
          cut.shares_a ? b : a,
          args.scratch,
          blocks,
          most,
          most + ceil_div(cut.shared, kStrip) * cut.pieces};
}

}  // namespace
}  // namespace downhill::cpu::DH_ISA
