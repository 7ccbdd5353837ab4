// Sums over the taps of a window, a tile of neighbouring pixels by a panel of channels at a time.
#pragma once
#include "backend/cpu/kernels/conv_parts.h"
#include "backend/cpu/kernels/conv_tile.h"
#include "backend/cpu/kernels/matmul_pack.h"
#include "backend/cpu/pool.h"

namespace downhill::cpu::DH_ISA {
namespace {

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
