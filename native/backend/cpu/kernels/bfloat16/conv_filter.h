// The gradient of a convolution's kernel from operands in bfloat16: a depth is the same pixel of 32 images, lines are
// channels. A chunk of blocks of images, rows and columns adds to sums of its own; these are added up in order.
#pragma once
#include "backend/cpu/kernels/bfloat16/conv_windows.h"

namespace downhill::cpu::DH_ISA {
namespace {

constexpr int64_t kFilterBytes = 768 << 10;  // of both operands that are packed at once, about
constexpr int64_t kFilterChunks = 8;         // at most
constexpr int64_t kFilterSums = 4 << 20;     // of all chunks together
constexpr int64_t kFilterDepths = 4;         // between reading and writing sums that are far, at least

template <int Parts>
struct FilterCut {
  static constexpr int64_t kStep = Parts * kPartBytes;
  int64_t taps, c_strips, f_strips;  // of the channels that are read, and written
  int64_t rows, columns;             // of the output, in a block
  int64_t row_blocks, column_blocks, items;
  int64_t x_rows, x_columns;       // that they read, at most
  int64_t chunks, splits, strips;  // of the items; of the filters' strips; of a split

  explicit FilterCut(const ConvShape& s)
      : taps(s.y.kernel * s.x.kernel),
        c_strips(ceil_div(s.c, kStrip)),
        f_strips(ceil_div(s.co, kStrip)),
        rows(s.y.out),
        columns(s.x.out) {
    const int64_t flops = 2 * s.n * s.y.out * s.x.out * taps * s.c * s.groups * s.co;
    const int64_t wanted = larger(1, smaller(kFilterChunks, flops / kWindowFlops));
    strips = f_strips;
    measure(s);
    while (rows * columns > 1 && (x_bytes() + y_bytes() > kFilterBytes || items < wanted)) halve(s);
    chunks = larger(1, smaller(smaller(wanted, items), kFilterSums / (s.groups * pairs() * kPair)));
    splits = smaller(f_strips, ceil_div(wanted, chunks));
    strips = ceil_div(f_strips, splits);
    splits = ceil_div(f_strips, strips);
  }
  int64_t pairs() const { return taps * c_strips * f_strips; }
  int64_t x_strip() const { return x_rows * x_columns * kStep; }
  int64_t y_strip() const { return rows * columns * kStep; }
  int64_t x_bytes() const { return c_strips * x_strip(); }
  int64_t y_bytes() const { return strips * y_strip(); }
  int64_t sums_bytes(const ConvShape& s) const {
    return s.groups * pairs() * kPair * static_cast<int64_t>(sizeof(float));
  }
  /// Not where a pixel is packed again and again, or sums are read and written for little.
  bool pays(const ConvShape& s) const {
    const int64_t packed = row_blocks * column_blocks * x_rows * x_columns * splits * kPackCost;
    const int64_t multiplied = s.y.out * s.x.out * taps * s.co;
    const bool near = sums_bytes(s) / s.groups <= kPacked / 2 || rows * columns >= kFilterDepths;
    return near && x_bytes() + y_bytes() <= kPacked && packed <= multiplied;
  }
  /// The sums of each chunk, the operands of each task, and the largest magnitudes of both.
  size_t bytes(const ConvShape& s) const {
    const int64_t task = x_bytes() + y_bytes() + 2 * static_cast<int64_t>(sizeof(uint32_t));
    return static_cast<size_t>(ceil_div(chunks * sums_bytes(s) + chunks * splits * task, 64) * 64);
  }

 private:
  void halve(const ConvShape& s) {
    int64_t& side = rows > 1 ? rows : columns;
    side = ceil_div(side, 2);
    measure(s);
  }
  void measure(const ConvShape& s) {
    row_blocks = ceil_div(s.y.out, rows), column_blocks = ceil_div(s.x.out, columns);
    items = ceil_div(s.n, kStrip) * row_blocks * column_blocks;
    x_rows = smaller((rows - 1) * s.y.stride + s.y.span(), s.y.in);
    x_columns = smaller((columns - 1) * s.x.stride + s.x.span(), s.x.in);
  }
};

template <typename Operand>
struct FilterSums {
  static constexpr int kParts = Operand::kParts;
  static constexpr int64_t kStep = kParts * kPartBytes;
  const ConvArgs& args;
  const FilterCut<kParts> cut;

  const ConvShape& shape() const { return args.shape; }
  float* sums(int64_t chunk) const { return reinterpret_cast<float*>(args.scratch + chunk * cut.sums_bytes(shape())); }
  std::byte* operands(int64_t task) const {
    return reinterpret_cast<std::byte*>(sums(cut.chunks)) + task * (cut.x_bytes() + cut.y_bytes());
  }
  uint32_t* magnitudes() const { return reinterpret_cast<uint32_t*>(operands(cut.chunks * cut.splits)); }

  struct Block {
    Range images, rows, columns;  // of the output
    Range y, x;                   // what they read
  };
  Block block_of(int64_t item) const {
    const ConvShape& s = shape();
    const int64_t column = item % cut.column_blocks * cut.columns, outer = item / cut.column_blocks;
    const int64_t row = outer % cut.row_blocks * cut.rows, image = outer / cut.row_blocks * kStrip;
    Block block = {{image, smaller(image + kStrip, s.n)},
                   {row, smaller(row + cut.rows, s.y.out)},
                   {column, smaller(column + cut.columns, s.x.out)},
                   {0, 0},
                   {0, 0}};
    block.y = elements_of(s.y, block.rows), block.x = elements_of(s.x, block.columns);
    return block;
  }

  /// Channels [lines.begin, lines.end) of pixels of 32 images, strips `strip_bytes` apart.
  static uint32_t pack_pixels(const float* from, const Axis& y, const Axis& x, bool output, int64_t channels,
                              const Block& block, Range lines, bool is_a, std::byte* to, int64_t strip_bytes) {
    const Range &rows = output ? block.rows : block.y, &columns = output ? block.columns : block.x;
    const int64_t width = output ? x.out : x.in, image = (output ? y.out : y.in) * width * channels;
    uint32_t most = 0;
    for (int64_t row = rows.begin; row < rows.end; ++row)
      for (int64_t column = columns.begin; column < columns.end; ++column, to += kStep) {
        const float* const at = from + block.images.begin * image + (row * width + column) * channels;
        const uint32_t seen = pack<Operand>({at, image, false, is_a}, lines, {0, block.images.size()}, to,
                                            static_cast<size_t>(strip_bytes));
        most = most > seen ? most : seen;
      }
    return most;
  }

  void run_task(int64_t task) const {
    [[maybe_unused]] const Engine engine;
    const ConvShape& s = shape();
    const int64_t chunk = task / cut.splits, first = task % cut.splits * cut.strips;
    const Range strips = {first, smaller(first + cut.strips, cut.f_strips)};
    const Range filters = {first * kStrip, smaller(strips.end * kStrip, s.co)};
    std::byte *const x = operands(task), *const d_y = x + cut.x_bytes();
    uint32_t* const most = magnitudes() + 2 * task;
    most[0] = most[1] = 0;
    const Range items = part(cut.items, cut.chunks, chunk);
    for (int64_t item = items.begin; item < items.end; ++item) {
      const Block block = block_of(item);
      for (int64_t group = 0; group < s.groups; ++group) {
        const uint32_t of_x = pack_pixels(args.x + group * s.c, s.y, s.x, false, s.groups * s.c, block, {0, s.c}, true,
                                          x, cut.x_strip()),
                       of_y = pack_pixels(args.d_y + group * s.co, s.y, s.x, true, s.groups * s.co, block, filters,
                                          false, d_y, cut.y_strip());
        most[0] = most[0] > of_x ? most[0] : of_x, most[1] = most[1] > of_y ? most[1] : of_y;
        for (int64_t tap = 0; tap < cut.taps; ++tap)
          multiply_tap(block, x, d_y, tap, strips, item > items.begin,
                       sums(chunk) + (group * cut.taps + tap) * cut.c_strips * cut.f_strips * kPair);
      }
    }
  }

  /// What a block adds to a tap: (c_strips, f_strips) pairs of strips.
  void multiply_tap(const Block& block, const std::byte* x, const std::byte* d_y, int64_t tap, Range strips,
                    bool accumulate, float* to) const {
    const Axis &ay = shape().y, &ax = shape().x;
    const int64_t ky = tap / ax.kernel, kx = tap % ax.kernel;
    const Range rows = {larger(block.rows.begin, ay.first_out(ky)), smaller(block.rows.end, ay.end_out(ky))};
    const Range columns = {larger(block.columns.begin, ax.first_out(kx)), smaller(block.columns.end, ax.end_out(kx))};
    const int64_t depths = larger(columns.size(), 0);
    if (accumulate && (rows.size() <= 0 || depths == 0)) return;
    const int64_t top = ky * ay.dilation - ay.before - block.y.begin,
                  left = columns.begin * ax.stride + kx * ax.dilation - ax.before - block.x.begin;
    alignas(64) float own[kPair];
    for (int64_t i = 0; i < cut.c_strips; ++i)
      for (int64_t j = strips.begin; j < strips.end; ++j) {
        const std::byte *const a = x + i * cut.x_strip(), *const b = d_y + (j - strips.begin) * cut.y_strip();
        const auto walk = [&](auto&& add) __attribute__((always_inline)) {
          if (depths == 0) return;
          for (int64_t row = rows.begin; row < rows.end; ++row)
            add(a + ((row * ay.stride + top) * block.x.size() + left) * kStep,
                b + ((row - block.rows.begin) * block.columns.size() + columns.begin - block.columns.begin) * kStep,
                depths, ax.stride * kStep);
        };
        const bool tall = shape().c - i * kStrip > kTile, wide = shape().co - j * kStrip > kTile;
        float* const pair = to + (i * cut.f_strips + j) * kPair;
        multiply_pair<kParts>(walk, tall, wide, accumulate ? own : pair);
        if (accumulate) add_pair(own, pair, tall ? kStrip : kTile, wide ? kStrip : kTile);
      }
  }

  /// A strip of channels of one tap: what the chunks have, in their order.
  void combine(int64_t index) const {
    const ConvShape& s = shape();
    const int64_t strip = index % cut.c_strips, outer = index / cut.c_strips;
    const int64_t tap = outer % cut.taps, group = outer / cut.taps, filters = s.groups * s.co;
    for (int64_t c = strip * kStrip; c < smaller((strip + 1) * kStrip, s.c); ++c)
      for (int64_t f = 0; f < s.co; f += kWidth) {
        const int64_t at = (index * cut.f_strips + f / kStrip) * kPair + c % kStrip * kStrip + f % kStrip;
        Vec sum = load(sums(0) + at);
        for (int64_t chunk = 1; chunk < cut.chunks; ++chunk) sum = add(sum, load(sums(chunk) + at));
        if constexpr (kParts > 1) sum = _mm512_mul_ps(sum, _mm512_set1_ps(1 / (Operand::kScale * Operand::kScale)));
        store_first(args.to + (tap * s.c + c) * filters + group * s.co + f, sum,
                    static_cast<int>(smaller(kWidth, s.co - f)));
      }
  }

  /// Whether the result is right.
  bool run() const {
    const ConvShape& s = shape();
    const int64_t tasks = cut.chunks * cut.splits;
    parallel_for(tasks, [&](int64_t task) { run_task(task); });
    if constexpr (kParts > 1) {
      uint32_t most[2] = {0, 0};
      for (int64_t i = 0; i < 2 * tasks; ++i)
        most[i % 2] = most[i % 2] > magnitudes()[i] ? most[i % 2] : magnitudes()[i];
      if (!are_in_range(most[0], most[1], s.n * s.y.out * s.x.out)) return false;
    }
    parallel_for(s.groups * cut.taps * cut.c_strips, [&](int64_t index) { combine(index); });
    return true;
  }
};

template <typename Operand>
bool run_filter(const ConvArgs& args) {
  return FilterSums<Operand>{args, FilterCut<Operand::kParts>(args.shape)}.run();
}

}  // namespace
}  // namespace downhill::cpu::DH_ISA
