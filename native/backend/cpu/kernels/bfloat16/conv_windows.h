// Convolutions and their input gradients from operands in bfloat16. A strip's lines are the same pixel of 32 images, so
// that any stride, dilation and padding is a matter of addresses: a sum has exactly the taps that lie inside.
#pragma once
#include "backend/cpu/kernels/bfloat16/pack.h"
#if defined(__AMX_BF16__)
#include "backend/cpu/kernels/bfloat16/tiles.h"
#else
#include "backend/cpu/kernels/bfloat16/dots.h"
#endif
#include "backend/cpu/kernels/conv_parts.h"
#include "backend/cpu/pool.h"

namespace downhill::cpu::DH_ISA {
namespace {

constexpr int64_t kWindowBytes = 768 << 10;  // of pixels that are packed at once, about
constexpr int64_t kWindowMemory = 32 << 20;  // of all chunks', about
constexpr int64_t kWindowChunks = 16;        // at most; each has memory of its own
constexpr int64_t kWindowFlops = 1 << 23;    // of a chunk, at least
constexpr int64_t kWindowInline = 1 << 14;   // elements of a kernel that the caller packs itself
constexpr int64_t kPacked = 2 << 20;         // bytes that stay near the cores
constexpr int64_t kPackCost = 16;            // multiplications that must come of packing an element

/// Multiplies two strips over the runs of `walk`.
template <int Parts, typename Walk>
DH_HOST_DEVICE void multiply_pair(const Walk& walk, bool tall, bool wide, float* sums) {
  if (tall)
    wide ? multiply_runs<Parts, 2, 2>(walk, sums) : multiply_runs<Parts, 2, 1>(walk, sums);
  else
    wide ? multiply_runs<Parts, 1, 2>(walk, sums) : multiply_runs<Parts, 1, 1>(walk, sums);
}

/// Elements of an axis between the first and the last that these outputs read.
inline Range elements_of(const Axis& axis, Range outputs) {
  const int64_t first = outputs.begin * axis.stride - axis.before,
                last = (outputs.end - 1) * axis.stride - axis.before + axis.span();
  return {larger(first, 0), smaller(last, axis.in)};
}

/// How a convolution, or a part of an input gradient, is cut: by blocks of 32 images, groups, ranges of columns and
/// rows of the result. The rows that an output row reads lie packed in a ring.
template <int Parts>
struct WindowCut {
  int64_t strips;       // of the channels that are written
  int64_t pixel_bytes;  // a pixel of 32 images, or a tap of 32 filters
  int64_t image_blocks, column_blocks;
  int64_t columns;                  // of the result, in a block
  int64_t ring_rows, ring_columns;  // of pixels
  int64_t items, chunks;

  explicit WindowCut(const Direct& d) {
    const Windows& s = d.shape;
    strips = ceil_div(d.co, kStrip);
    pixel_bytes = ceil_div(d.c, kDepth) * Parts * kPartBytes;
    image_blocks = ceil_div(s.n, kStrip);
    ring_rows = smaller(s.y.span(), s.y.in);
    const int64_t most = kWindowBytes / (ring_rows * pixel_bytes);
    const int64_t lines = image_blocks * d.groups * s.y.out;
    const int64_t wanted = larger(1, smaller(kWindowChunks, d.flops() / kWindowFlops));
    columns = s.x.out;
    if (s.x.in > most) columns = smaller(columns, larger(0, most - s.x.span()) / s.x.stride + 1);
    columns = smaller(columns, ceil_div(s.x.out, ceil_div(wanted, lines)));
    column_blocks = ceil_div(s.x.out, columns);
    columns = ceil_div(s.x.out, column_blocks);
    column_blocks = ceil_div(s.x.out, columns);
    ring_columns = smaller((columns - 1) * s.x.stride + s.x.span(), s.x.in);
    items = lines * column_blocks;
    chunks = smaller(smaller(items, wanted), larger(kWindowChunks / 4, kWindowMemory / ring_bytes()));
  }
  int64_t ring_bytes() const { return ring_rows * ring_columns * pixel_bytes; }
  /// Not where the taps lie so far apart that a pixel is packed again and again.
  bool pays(const Direct& d) const {
    const int64_t packed = column_blocks * ring_columns * kPackCost, multiplied = d.shape.x.out * d.taps() * d.co;
    return ring_bytes() <= kPacked && packed <= multiplied;
  }
  int64_t kernel_bytes(const Direct& d) const { return d.groups * strips * d.taps() * pixel_bytes; }
  /// Kernel, rings, and the largest magnitudes of the kernel's taps and of each chunk.
  size_t bytes(const Direct& d) const {
    const int64_t magnitudes = (d.groups * d.taps() + chunks) * static_cast<int64_t>(sizeof(uint32_t));
    return static_cast<size_t>(ceil_div(kernel_bytes(d) + chunks * ring_bytes() + magnitudes, 64) * 64);
  }
};

template <typename Operand>
struct WindowSums {
  static constexpr int kParts = Operand::kParts;
  const Direct& d;
  const ConvArgs& args;
  const float* const from;
  const WindowCut<kParts> cut;

  std::byte* ring(int64_t chunk) const { return args.scratch + cut.kernel_bytes(d) + chunk * cut.ring_bytes(); }
  uint32_t* magnitudes() const { return reinterpret_cast<uint32_t*>(ring(cut.chunks)); }
  std::byte* kernel(int64_t group, int64_t strip) const {
    return args.scratch + (group * cut.strips + strip) * d.taps() * cut.pixel_bytes;
  }
  int64_t channels_from() const { return d.groups * d.c; }
  int64_t channels_to() const { return d.groups * d.co; }

  /// A tap of a group: columns are the channels that are written, k those that are read.
  void pack_tap(int64_t index) const {
    const int64_t group = index / d.taps(), tap = index % d.taps();
    const int64_t ky = d.y.tap0 + tap / d.shape.x.kernel * d.y.tap_step,
                  kx = d.x.tap0 + tap % d.shape.x.kernel * d.x.tap_step;
    const int64_t ld = d.transposed ? channels_from() : channels_to();
    const float* const w = args.w + (ky * d.kernel_x + kx) * (d.transposed ? d.co : d.c) * ld;
    const Source source = {w + group * (d.transposed ? d.c : d.co), ld, d.transposed, false};
    magnitudes()[index] = pack<Operand>(source, {0, d.co}, {0, d.c}, kernel(group, 0) + tap * cut.pixel_bytes,
                                        static_cast<size_t>(d.taps() * cut.pixel_bytes));
  }
  void pack_kernel() const {
    const int64_t pieces = d.groups * d.taps();
    if (pieces * d.c * d.co >= kWindowInline) return parallel_for(pieces, [&](int64_t index) { pack_tap(index); });
    for (int64_t index = 0; index < pieces; ++index) pack_tap(index);
  }

  /// Where an item lies.
  struct Block {
    Range images, columns;  // of the result
    int64_t index, group;   // of the block; all its rows share a ring
    int64_t row;            // of the result
    Range pixels;           // columns of the source that are packed
  };
  Block block_of(int64_t item) const {
    const Windows& s = d.shape;
    Block block;
    block.index = item / s.y.out, block.row = item % s.y.out;
    const int64_t column = block.index % cut.column_blocks * cut.columns, outer = block.index / cut.column_blocks;
    block.group = outer % d.groups;
    const int64_t image = outer / d.groups * kStrip;
    block.images = {image, smaller(image + kStrip, s.n)};
    block.columns = {smaller(column, s.x.out), smaller(column + cut.columns, s.x.out)};
    block.pixels = elements_of(s.x, block.columns);
    return block;
  }
  uint32_t pack_row(const Block& block, int64_t row, std::byte* to) const {
    const Windows& s = d.shape;
    const int64_t image = s.y.in * s.x.in * channels_from();
    const float* at =
        from + block.images.begin * image + (row * s.x.in + block.pixels.begin) * channels_from() + block.group * d.c;
    uint32_t most = 0;
    for (int64_t x = block.pixels.begin; x < block.pixels.end; ++x, at += channels_from(), to += cut.pixel_bytes) {
      const uint32_t seen = pack<Operand>({at, image, true, true}, {0, block.images.size()}, {0, d.c}, to, 0);
      most = most > seen ? most : seen;
    }
    return most;
  }

  void run_chunk(int64_t chunk) const {
    [[maybe_unused]] const Engine engine;
    alignas(64) float sums[kPair] = {};
    std::byte* const rows = ring(chunk);
    const Range items = part(cut.items, cut.chunks, chunk);
    int64_t ring_of = -1, packed = 0;  // the block in the ring, and the end of its rows there
    uint32_t most = 0;
    for (int64_t item = items.begin; item < items.end; ++item) {
      const Block block = block_of(item);
      if (block.index != ring_of) ring_of = block.index, packed = 0;
      const Range wanted = elements_of(d.shape.y, {block.row, block.row + 1});
      for (int64_t row = larger(packed, wanted.begin); row < wanted.end; ++row) {
        const uint32_t seen = pack_row(block, row, row_at(rows, row));
        most = most > seen ? most : seen;
      }
      packed = larger(packed, wanted.end);
      for (int64_t strip = 0; strip < cut.strips; ++strip)
        for (int64_t column = block.columns.begin; column < block.columns.end; ++column) {
          multiply_pixel(block, rows, strip, column, sums);
          finish(block, strip, column, sums);
        }
    }
    magnitudes()[d.groups * d.taps() + chunk] = most;
  }
  std::byte* row_at(std::byte* rows, int64_t row) const {
    return rows + row % cut.ring_rows * cut.ring_columns * cut.pixel_bytes;
  }

  void multiply_pixel(const Block& block, std::byte* rows, int64_t strip, int64_t column, float* sums) const {
    const Axis &y = d.shape.y, &x = d.shape.x;
    const Range taps_y = {y.first_tap(block.row), y.end_tap(block.row)},
                taps_x = {x.first_tap(column), x.end_tap(column)};
    const int64_t top = block.row * y.stride - y.before;
    const int64_t left = column * x.stride - x.before - block.pixels.begin;
    const std::byte* const weights = kernel(block.group, strip);
    constexpr int64_t kStep = kParts * kPartBytes;
    const int64_t depths = cut.pixel_bytes / kStep;
    const bool dense = x.dilation == 1;
    const auto walk = [&](auto&& add) __attribute__((always_inline)) {
      for (int64_t ky = taps_y.begin; ky < taps_y.end; ++ky) {
        const std::byte* const row = row_at(rows, top + ky * y.dilation);
        const int64_t together = dense ? taps_x.size() : 1;
        for (int64_t kx = taps_x.begin; kx < taps_x.end; kx += together)
          add(row + (left + kx * x.dilation) * cut.pixel_bytes, weights + (ky * x.kernel + kx) * cut.pixel_bytes,
              together * depths, kStep);
      }
    };
    multiply_pair<kParts>(walk, block.images.size() > kTile, d.co - strip * kStrip > kTile, sums);
  }

  /// Bias, activation, and the way to the result.
  void finish(const Block& block, int64_t strip, int64_t column, float* sums) const {
    const int64_t images = block.images.size(), first = strip * kStrip, width = smaller(kStrip, d.co - first);
    const int64_t channel = block.group * d.co + first, image = d.result_y * d.result_x * channels_to();
    const int64_t at =
        block.images.begin * image + channel +
        ((d.y.first + block.row * d.y.step) * d.result_x + d.x.first + column * d.x.step) * channels_to();
    if (kParts > 1 || args.bias)
      for (int64_t j = 0; j < width; j += kWidth) {
        const Vec bias =
            args.bias ? load_first(args.bias + channel + j, static_cast<int>(smaller(kWidth, width - j))) : zero();
        for (int64_t i = 0; i < images; ++i) {
          Vec sum = load(sums + i * kStrip + j);
          if constexpr (kParts > 1) sum = _mm512_mul_ps(sum, _mm512_set1_ps(1 / (Operand::kScale * Operand::kScale)));
          store(sums + i * kStrip + j, args.bias ? add(sum, bias) : sum);
        }
      }
    if (args.activate) args.activate(sums, sums, images * kStrip, args.activate_params);
    for (int64_t i = 0; i < images; ++i) {
      float* const line = sums + i * kStrip;
      if (args.gradient) {
        const void* const in[] = {args.saved + at + i * image, line};
        const int64_t stride[] = {1, 1};
        args.gradient(in, stride, line, width, args.activate_params);
      }
      for (int64_t j = 0; j < width; j += kWidth)
        store_first(args.to + at + i * image + j, load(line + j), static_cast<int>(smaller(kWidth, width - j)));
    }
  }

  /// Whether the result is right.
  bool run() const {
    pack_kernel();
    parallel_for(cut.chunks, [&](int64_t chunk) { run_chunk(chunk); });
    if constexpr (kParts == 1) return true;
    const int64_t pieces = d.groups * d.taps();
    return are_in_range(largest(magnitudes(), pieces), largest(magnitudes() + pieces, cut.chunks), d.taps() * d.c);
  }
};

template <typename Operand>
bool run_windows(const Direct& d, const ConvArgs& args, const float* from) {
  return WindowSums<Operand>{d, args, from, WindowCut<Operand::kParts>(d)}.run();
}

}  // namespace
}  // namespace downhill::cpu::DH_ISA
