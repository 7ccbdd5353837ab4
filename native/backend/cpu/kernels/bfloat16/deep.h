// Products of a long inner dimension, as gradients of weights are: a chunk is a range of k, of which it packs a block
// of both operands at a time, reading them from end to end, and adds to sums of its own. These are added up in order.
#pragma once
#include "backend/cpu/kernels/bfloat16/product.h"

namespace downhill::cpu::DH_ISA {
namespace {

constexpr int64_t kDeepSums = 1 << 17;   // elements of c, at most
constexpr int64_t kDeepBlock = 3 << 18;  // bytes of both operands that are packed at once
constexpr int64_t kDeepChunk = 256;      // of k, at least
constexpr int64_t kDeepChunks = 8;       // each has memory for a block and sums

template <int Parts>
struct DeepCut {
  int64_t a_strips, b_strips;
  int64_t depth;   // of k in a block
  int64_t chunks;  // of k
  size_t strip_bytes;

  DeepCut(int64_t m, int64_t n, int64_t k) : a_strips(ceil_div(m, kStrip)), b_strips(ceil_div(n, kStrip)) {
    const int64_t most = kDeepBlock / ((a_strips + b_strips) * Parts * kPartBytes);
    depth = larger(1, smaller(most, kPiece)) * kDepth;
    chunks = larger(1, smaller(kDeepChunks, k / larger(depth, kDeepChunk)));
    strip_bytes = static_cast<size_t>(depth / kDepth * Parts * kPartBytes);
  }
  int64_t pairs() const { return a_strips * b_strips; }
  size_t block_bytes() const { return static_cast<size_t>(a_strips + b_strips) * strip_bytes; }
  size_t sums_bytes() const { return static_cast<size_t>(pairs() * kPair) * sizeof(float); }
  /// A block and the sums of each chunk, then the largest magnitudes of both operands.
  size_t bytes() const {
    return (static_cast<size_t>(chunks) * (block_bytes() + sums_bytes() + 2 * sizeof(uint32_t)) + 63) / 64 * 64;
  }
};

/// Where the others would read few columns of many rows.
inline bool is_deep(int64_t m, int64_t n, int64_t k) {
  return m >= kStrip && n >= kStrip && m * n <= kDeepSums && k >= 4 * kDeepChunk && k >= 2 * larger(m, n);
}

template <typename Operand>
struct DeepProduct {
  static constexpr int kParts = Operand::kParts;
  const MatmulArgs& args;
  DeepCut<kParts> cut;
  Source a, b;

  explicit DeepProduct(const MatmulArgs& product)
      : args(product),
        cut(product.m, product.n, product.k),
        a{product.a, product.lda, !product.transpose_a, true},
        b{product.b, product.ldb, product.transpose_b, false} {}

  float* sums(int64_t chunk) const {
    return reinterpret_cast<float*>(args.scratch + static_cast<size_t>(chunk) * (cut.block_bytes() + cut.sums_bytes()));
  }
  uint32_t* magnitudes(int64_t chunk) const { return reinterpret_cast<uint32_t*>(sums(cut.chunks)) + 2 * chunk; }

  void multiply_chunk(int64_t chunk) const {
    [[maybe_unused]] const Engine engine;
    const Range range = part(ceil_div(args.k, kDepth), cut.chunks, chunk);
    float* const to = sums(chunk);
    std::byte* const packed = reinterpret_cast<std::byte*>(to) + cut.sums_bytes();
    std::byte* const packed_b = packed + static_cast<size_t>(cut.a_strips) * cut.strip_bytes;
    uint32_t* const most = magnitudes(chunk);
    most[0] = most[1] = 0;
    const int64_t end = smaller(range.end * kDepth, args.k);
    for (int64_t k = range.begin * kDepth; k < end; k += cut.depth) {
      const Range depth = {k, smaller(k + cut.depth, end)};
      const uint32_t of_a = pack<Operand>(a, {0, args.m}, depth, packed, cut.strip_bytes),
                     of_b = pack<Operand>(b, {0, args.n}, depth, packed_b, cut.strip_bytes);
      if constexpr (kParts > 1) Product<Operand>::raise(most[0], of_a), Product<Operand>::raise(most[1], of_b);
      multiply_block(packed, packed_b, ceil_div(depth.size(), kDepth), k > range.begin * kDepth, to);
    }
  }

  /// All pairs of strips. Rows and columns behind the last are junk, which nobody reads.
  void multiply_block(const std::byte* packed_a, const std::byte* packed_b, int64_t depths, bool accumulate,
                      float* to) const {
    alignas(64) float own[kPair];
    StripArgs strip;
    strip.depths = depths, strip.ldc = kStrip, strip.accumulate = false;
    strip.c = accumulate ? own : nullptr;
    for (int64_t j = 0; j < cut.b_strips; ++j)
      for (int64_t i = 0; i < cut.a_strips; ++i, to += kPair) {
        strip.a = packed_a + static_cast<size_t>(i) * cut.strip_bytes;
        strip.b = packed_b + static_cast<size_t>(j) * cut.strip_bytes;
        strip.ahead = to, strip.ahead_ld = kStrip, strip.ahead_rows = kStrip;
        if (!accumulate) strip.c = to;
        const bool tall = args.m - i * kStrip > kTile, wide = args.n - j * kStrip > kTile;
        multiply_pair(strip, tall, wide);
        if (accumulate) add_pair(own, to, tall ? kStrip : kTile, wide ? kStrip : kTile);
      }
  }

  static void multiply_pair(const StripArgs& strip, bool tall, bool wide) {
    if (tall)
      wide ? multiply_strips<kParts, 2, 2>(strip) : multiply_strips<kParts, 2, 1>(strip);
    else
      wide ? multiply_strips<kParts, 1, 2>(strip) : multiply_strips<kParts, 1, 1>(strip);
  }

  /// Rows of c under a strip of a: what the chunks have, in their order.
  void combine(int64_t i) const {
    const Range rows = {i * kStrip, smaller((i + 1) * kStrip, args.m)};
    for (int64_t row = rows.begin; row < rows.end; ++row)
      for (int64_t column = 0; column < args.n; column += kWidth) {
        const int width = static_cast<int>(smaller(kWidth, args.n - column));
        const int64_t at = (column / kStrip * cut.a_strips + i) * kPair + (row - rows.begin) * kStrip + column % kStrip;
        Vec sum = load(sums(0) + at);
        for (int64_t chunk = 1; chunk < cut.chunks; ++chunk) sum = add(sum, load(sums(chunk) + at));
        if constexpr (kParts > 1) sum = _mm512_mul_ps(sum, _mm512_set1_ps(1 / (Operand::kScale * Operand::kScale)));
        if (args.bias) sum = add(sum, load_first(args.bias + column, width));
        store_first(args.c + row * args.ldc + column, sum, width);
      }
    finish(args, rows, {0, args.n});
  }

  /// Whether c is right.
  bool run() const {
    parallel_for(cut.chunks, [&](int64_t chunk) { multiply_chunk(chunk); });
    if constexpr (kParts > 1) {
      uint32_t most[2] = {0, 0};
      for (int64_t chunk = 0; chunk < cut.chunks; ++chunk)
        for (int i = 0; i < 2; ++i) Product<Operand>::raise(most[i], magnitudes(chunk)[i]);
      if (!are_in_range(most[0], most[1], args.k)) return false;
    }
    parallel_for(cut.a_strips, [&](int64_t strip) { combine(strip); });
    return true;
  }
};

}  // namespace
}  // namespace downhill::cpu::DH_ISA
