// Sums over the taps of a window, a tile of neighbouring pixels by a panel of channels at a time: convolutions, and in
// as many parts as there are positions within a stride, their input gradients.
#pragma once
#include "backend/cpu/kernels/conv_blocks.h"
#include "backend/cpu/kernels/conv_tile.h"
#include "backend/cpu/kernels/matmul_pack.h"
#include "backend/cpu/pool.h"

namespace downhill::cpu::DH_ISA {
namespace {

/// Taps of one axis that a part of an input gradient has, and where its pixels lie.
struct Part {
  Axis axis;
  int64_t first, step;     // pixel q of the part is pixel first + q · step of the result
  int64_t tap0, tap_step;  // tap u of the part is tap tap0 + u · tap_step of the kernel
};

/// Part `a` of stride s: pixels a, a + s, a + 2s …; their taps are those that meet an output, in reverse order.
DH_HOST_DEVICE Part part_of(const Axis& conv, int64_t a) {
  const int64_t s = conv.stride, d = conv.dilation;
  Part part = {{conv.out, conv.in > a ? (conv.in - a + s - 1) / s : 0, 0, 1, 1, 0}, a, s, 0, 1};
  int64_t g = s, rest = d % s;
  while (rest) {
    const int64_t next = g % rest;
    g = rest, rest = next;
  }
  const int64_t period = s / g;
  const int64_t end = smaller(period, conv.kernel);
  int64_t first = 0;
  while (first < end && (a + conv.before - first * d) % s != 0) ++first;
  if (first == end) return part;
  const int64_t count = (conv.kernel - first + period - 1) / period;
  const int64_t base = (a + conv.before - first * d) / s;
  part.axis.kernel = count;
  part.axis.dilation = d / g;
  part.axis.before = (count - 1) * (d / g) - base;
  part.tap0 = first + (count - 1) * period;
  part.tap_step = -period;
  return part;
}

struct Direct {
  Windows shape;
  int64_t groups, c, co;  // channels of a group, read and written
  bool transposed;        // w is (taps, co, groups · c), else (taps, c, groups · co)
  Part y, x;
  int64_t kernel_x;            // of w
  int64_t result_y, result_x;  // size of the images that are written

  int64_t panels() const { return ceil_div(co, kTileCols); }
  int64_t taps() const { return shape.y.kernel * shape.x.kernel; }
  int64_t panel_floats() const { return taps() * c * kTileCols; }
  int64_t flops() const { return 2 * shape.n * shape.y.out * shape.x.out * taps() * c * co * groups; }
  bool empty() const { return shape.n * shape.y.out * shape.x.out * co == 0; }
  size_t weight_bytes() const { return rounded_up(groups * panels() * panel_floats()); }
};

DH_HOST_DEVICE Part whole(const Axis& axis) { return {axis, 0, 1, 0, 1}; }

inline Direct forward_of(const ConvShape& s) {
  return {s, s.groups, s.c, s.co, false, whole(s.y), whole(s.x), s.x.kernel, s.y.out, s.x.out};
}

/// Positions within a stride that images have, along an axis.
inline int64_t positions(const Axis& axis) { return smaller(axis.stride, axis.in); }

inline int64_t parts_of_gradient(const ConvShape& s) { return positions(s.y) * positions(s.x); }

inline Direct part_of_gradient(const ConvShape& s, int64_t index) {
  const Part y = part_of(s.y, index / positions(s.x)), x = part_of(s.x, index % positions(s.x));
  return {{s.n, y.axis, x.axis}, s.groups, s.co, s.c, true, y, x, s.x.kernel, s.y.in, s.x.in};
}

inline size_t direct_scratch(const Direct& d) {
  if (d.empty() || d.taps() * d.c == 0) return 0;
  const Blocking blocking(d.shape, d.c, 1);
  const int64_t chunks = chunks_of(blocking.items, d.flops());
  return d.weight_bytes() + static_cast<size_t>(chunks) * rounded_up(blocking.image_floats(d.c));
}

/// Panels of kTileCols channels: (groups, panels, taps, c, kTileCols).
inline void pack_weights(const Direct& d, const float* w, float* to) {
  const int64_t taps = d.taps(), panels = d.panels();
  const int64_t ld = d.groups * (d.transposed ? d.c : d.co);
  const auto one = [&](int64_t index) {
    const int64_t tap = index % taps, panel = index / taps % panels, group = index / taps / panels;
    const int64_t column = panel * kTileCols, count = smaller(kTileCols, d.co - column);
    const int64_t ky = d.y.tap0 + tap / d.shape.x.kernel * d.y.tap_step,
                  kx = d.x.tap0 + tap % d.shape.x.kernel * d.x.tap_step;
    const float* const from = w + (ky * d.kernel_x + kx) * (d.transposed ? d.co : d.c) * ld;
    float* const target = to + (group * panels + panel) * d.panel_floats() + tap * d.c * kTileCols;
    if (d.transposed)
      pack_transpose(from + column * ld + group * d.c, ld, d.c, count, target, kTileCols);
    else
      pack_copy(from + group * d.co + column, ld, d.c, count, target, kTileCols);
  };
  const int64_t pieces = d.groups * panels * taps;
  if (pieces * d.c * kTileCols < 1 << 16) {
    for (int64_t i = 0; i < pieces; ++i) one(i);
  } else {
    parallel_for(pieces, one);
  }
}

/// One block of rows of an image, all channels of a group.
inline void direct_block(const Direct& d, const ConvArgs& args, const Blocking& blocking, const float* padded,
                         const float* weights, int64_t group, int64_t image, Range rows) {
  const Windows& s = d.shape;
  const int64_t line = blocking.padded_columns * d.c, channels = d.groups * d.co;
  const bool merged = s.x.dilation == 1;
  ConvTile tile = {};
  tile.a_row = s.x.stride * d.c;
  tile.a_step[0] = s.y.dilation * line;
  tile.a_step[1] = merged ? 0 : s.x.dilation * d.c;
  tile.a_step[2] = 1;
  tile.b_step[0] = s.x.kernel * d.c * kTileCols;
  tile.b_step[1] = merged ? 0 : d.c * kTileCols;
  tile.b_step[2] = kTileCols;
  tile.count[1] = merged ? 1 : s.x.kernel;
  tile.count[2] = merged ? s.x.kernel * d.c : d.c;
  tile.ldc = d.x.step * channels;
  for (int64_t panel = 0; panel < d.panels(); ++panel) {
    const int64_t column = panel * kTileCols, width = smaller(kTileCols, d.co - column);
    const int64_t vecs = ceil_div(width, kWidth);
    tile.last = static_cast<int>(width - (vecs - 1) * kWidth);
    tile.bias = args.bias ? args.bias + group * d.co + column : nullptr;
    const float* const panel_weights = weights + (group * d.panels() + panel) * d.panel_floats();
    for (int64_t oy = rows.begin; oy < rows.end; ++oy) {
      const int64_t first = s.y.first_tap(oy), end = s.y.end_tap(oy);
      tile.count[0] = larger(0, end - first);
      tile.b = panel_weights + first * tile.b_step[0];
      const float* const from = padded + ((oy - rows.begin) * s.y.stride + first * s.y.dilation) * line;
      float* const to = args.to +
                        ((image * d.result_y + d.y.first + oy * d.y.step) * d.result_x + d.x.first) * channels +
                        group * d.co + column;
      for_tiles(s.x.out, [&](int64_t ox, int64_t height) {
        tile.a = from + ox * tile.a_row;
        tile.c = to + ox * tile.ldc;
        tile_of<ConvTiles>(height, vecs)(tile);
      });
    }
  }
}

inline MatmulArgs epilogue_of(const ConvArgs& args) {
  MatmulArgs epilogue;
  epilogue.c = args.to;
  epilogue.activate = args.activate;
  epilogue.gradient = args.gradient;
  epilogue.saved = args.saved;
  epilogue.activate_params = args.activate_params;
  return epilogue;
}

inline void run_direct(const Direct& d, const ConvArgs& args, const float* from) {
  const Windows& s = d.shape;
  float* const weights = reinterpret_cast<float*>(args.scratch);
  std::byte* const blocks = args.scratch + d.weight_bytes();
  pack_weights(d, args.w, weights);
  const Blocking blocking(s, d.c, 1);
  const int64_t chunks = chunks_of(blocking.items, d.flops());
  const size_t block_bytes = rounded_up(blocking.image_floats(d.c));
  const MatmulArgs epilogue = epilogue_of(args);
  parallel_for(chunks, [&](int64_t chunk) {
    float* const padded = reinterpret_cast<float*>(blocks + static_cast<size_t>(chunk) * block_bytes);
    const Range items = part(blocking.items, chunks, chunk);
    for (int64_t item = items.begin; item < items.end; ++item) {
      const Range images = blocking.images_of(item, s.n), rows = blocking.rows_of(item, s.y.out);
      if (rows.size() <= 0) continue;
      for (int64_t image = images.begin; image < images.end; ++image) {
        for (int64_t group = 0; group < d.groups; ++group) {
          pad_copy(s, blocking, {from + group * d.c, d.groups * d.c, d.c}, image, rows, padded);
          direct_block(d, args, blocking, padded, weights, group, image, rows);
        }
        if (epilogue.activate || epilogue.gradient) {  // of the forward pass, whose rows have no gaps
          const int64_t line = d.result_x * d.groups * d.co;
          finish_line(epilogue, (image * d.result_y + rows.begin) * line, rows.size() * line);
        }
      }
    }
  });
}

}  // namespace
}  // namespace downhill::cpu::DH_ISA
