// The gradient of a convolution's kernel: products of input pixels and gradients, summed over all images. A chunk of
// images adds to sums of its own; these are added up in order.
#pragma once
#include "backend/cpu/kernels/conv_blocks.h"
#include "backend/cpu/kernels/conv_tile.h"
#include "backend/cpu/kernels/matmul_pack.h"
#include "backend/cpu/pool.h"

namespace downhill::cpu::DH_ISA {
namespace {

constexpr int64_t kMostPartials = 16;
constexpr int64_t kPartialFloats = int64_t{4} << 20;  // of all of them together

struct FilterCut {
  Blocking blocking;
  int64_t size;            // of the kernel
  int64_t chunks, splits;  // of the blocks; of the panels of filters
  int64_t panels;          // of a split
  size_t padded_bytes, gradient_bytes;

  explicit FilterCut(const ConvShape& s)
      : blocking(s, s.c, ceil_div(kPixelsTogether, larger(1, s.y.out * s.x.out))),
        size(s.y.kernel * s.x.kernel * s.c * s.groups * s.co) {
    const int64_t all = ceil_div(s.co, kTileCols);
    const int64_t flops = 2 * s.n * s.y.out * s.x.out * size;
    const int64_t wanted = larger(1, smaller(kMostPartials, flops / kConvChunkFlops));
    chunks = larger(1, smaller(smaller(wanted, blocking.items), kPartialFloats / larger(1, size)));
    splits = chunks >= 8 ? 1 : smaller(all, ceil_div(smaller(wanted, 8), chunks));
    panels = ceil_div(all, splits);
    splits = ceil_div(all, panels);
    padded_bytes = rounded_up(blocking.images * blocking.image_floats(s.c));
    gradient_bytes = rounded_up(blocking.images * blocking.rows * s.x.out * panels * kTileCols);
  }
  size_t partial_bytes() const { return chunks > 1 ? rounded_up(size) : 0; }
  size_t task_bytes() const { return padded_bytes + gradient_bytes; }
};

inline size_t filter_scratch(const ConvShape& s) {
  if (s.n * s.y.out * s.x.out * s.co * s.c == 0) return 0;
  const FilterCut cut(s);
  return static_cast<size_t>(cut.chunks) * cut.partial_bytes() +
         static_cast<size_t>(cut.chunks * cut.splits) * cut.task_bytes();
}

/// What one block adds to the sums of a group: `padded` (images, padded_rows, padded_columns, c), `gradient` (panels,
/// images · rows · columns, kTileCols).
inline void filter_block(const ConvShape& s, const FilterCut& cut, const float* padded, const float* gradient,
                         int64_t images, Range rows, Range panels, int64_t group, float* to) {
  const Blocking& blocking = cut.blocking;
  const int64_t line = blocking.padded_columns * s.c, filters = s.groups * s.co, width_out = s.x.out;
  const int64_t panel_floats = images * rows.size() * width_out * kTileCols;
  const bool merged = s.x.dilation == 1 && s.c < kTileRows;  // the taps of a row side by side
  ConvTile tile = {};
  tile.a_row = 1;
  tile.a_step[0] = blocking.image_floats(s.c);
  tile.a_step[1] = s.y.stride * line;
  tile.a_step[2] = s.x.stride * s.c;
  tile.b_step[0] = rows.size() * width_out * kTileCols;
  tile.b_step[1] = width_out * kTileCols;
  tile.b_step[2] = kTileCols;
  tile.count[0] = images;
  tile.ldc = filters;
  tile.accumulate = true;
  for (int64_t panel = panels.begin; panel < panels.end; ++panel) {
    const int64_t column = panel * kTileCols, width = smaller(kTileCols, s.co - column);
    const int64_t vecs = ceil_div(width, kWidth);
    tile.last = static_cast<int>(width - (vecs - 1) * kWidth);
    const float* const panel_gradient = gradient + (panel - panels.begin) * panel_floats;
    for (int64_t ky = 0; ky < s.y.kernel; ++ky) {
      const int64_t first = larger(rows.begin, s.y.first_out(ky)), end = smaller(rows.end, s.y.end_out(ky));
      if (first >= end) continue;
      tile.count[1] = end - first;
      const float* const from = padded + ((first - rows.begin) * s.y.stride + ky * s.y.dilation) * line;
      const float* const b = panel_gradient + (first - rows.begin) * tile.b_step[1];
      for (int64_t kx = 0; kx < (merged ? 1 : s.x.kernel); ++kx) {
        const int64_t left = merged ? 0 : s.x.first_out(kx), right = merged ? width_out : s.x.end_out(kx);
        if (left >= right) continue;
        tile.count[2] = right - left;
        const float* const a = from + kx * s.x.dilation * s.c + left * tile.a_step[2];
        tile.b = b + left * kTileCols;
        float* const target = to + (ky * s.x.kernel + kx) * s.c * filters + group * s.co + column;
        for_tiles(merged ? s.x.kernel * s.c : s.c, [&](int64_t row, int64_t height) {
          tile.a = a + row;
          tile.c = target + row * filters;
          tile_of<ConvTiles>(height, vecs)(tile);
        });
      }
    }
  }
}

inline void run_filter(const ConvArgs& args) {
  const ConvShape& s = args.shape;
  const FilterCut cut(s);
  const Blocking& blocking = cut.blocking;
  const int64_t filters = s.groups * s.co, all = ceil_div(s.co, kTileCols), outputs = s.y.out * s.x.out;
  std::byte* const tasks = args.scratch + static_cast<size_t>(cut.chunks) * cut.partial_bytes();
  const auto partial = [&](int64_t chunk) {
    return cut.chunks == 1 ? args.to
                           : reinterpret_cast<float*>(args.scratch + static_cast<size_t>(chunk) * cut.partial_bytes());
  };
  parallel_for(cut.chunks * cut.splits, [&](int64_t task) {
    const int64_t chunk = task / cut.splits, split = task % cut.splits;
    float* const padded = reinterpret_cast<float*>(tasks + static_cast<size_t>(task) * cut.task_bytes());
    float* const gradient = padded + cut.padded_bytes / sizeof(float);
    float* const to = partial(chunk);
    const Range panels = {split * cut.panels, smaller((split + 1) * cut.panels, all)};
    const int64_t first = panels.begin * kTileCols, last = smaller(panels.end * kTileCols, s.co);
    for (int64_t row = 0; row < cut.size / filters; ++row)
      for (int64_t group = 0; group < s.groups; ++group)
        zero_floats(to + row * filters + group * s.co + first, last - first);
    const Range items = part(blocking.items, cut.chunks, chunk);
    for (int64_t item = items.begin; item < items.end; ++item) {
      const Range images = blocking.images_of(item, s.n), rows = blocking.rows_of(item, s.y.out);
      if (rows.size() <= 0) continue;
      const int64_t pixels = rows.size() * s.x.out, panel_floats = images.size() * pixels * kTileCols;
      for (int64_t group = 0; group < s.groups; ++group) {
        for (int64_t i = 0; i < images.size(); ++i) {
          const int64_t image = images.begin + i;
          pad_copy(s, blocking, {args.x + group * s.c, s.groups * s.c, s.c}, image, rows,
                   padded + i * blocking.image_floats(s.c));
          const float* const from = args.d_y + (image * outputs + rows.begin * s.x.out) * filters + group * s.co;
          for (int64_t panel = panels.begin; panel < panels.end; ++panel)
            pack_copy(from + panel * kTileCols, filters, pixels, smaller(kTileCols, s.co - panel * kTileCols),
                      gradient + (panel - panels.begin) * panel_floats + i * pixels * kTileCols, kTileCols);
        }
        filter_block(s, cut, padded, gradient, images.size(), rows, panels, group, to);
      }
    }
  });
  if (cut.chunks == 1) return;
  constexpr int64_t kPiece = 4096;
  parallel_for(ceil_div(cut.size, kPiece), [&](int64_t piece) {
    const Range range = {piece * kPiece, smaller((piece + 1) * kPiece, cut.size)};
    for (int64_t i = range.begin; i < range.end; i += kWidth) {
      const int width = static_cast<int>(smaller(kWidth, range.end - i));
      Vec sum = load_first(partial(0) + i, width);
      for (int64_t chunk = 1; chunk < cut.chunks; ++chunk) sum = add(sum, load_first(partial(chunk) + i, width));
      store_first(args.to + i, sum, width);
    }
  });
}

}  // namespace
}  // namespace downhill::cpu::DH_ISA
