// How the images of a convolution are cut into blocks, and a block's copy with its padding. A function of the shape
// alone: so are then the bits of the results.
#pragma once
#include "backend/cpu/kernels/conv.h"
#include "backend/cpu/kernels/matmul_finish.h"
#include "backend/cpu/kernels/matmul_vec.h"

namespace downhill::cpu::DH_ISA {
namespace {

constexpr int64_t kBlockFloats = 96 << 10;    // of a padded block, about: less than half of the second-level cache
constexpr int64_t kLeastItems = 16;           // blocks that large work is cut into
constexpr int64_t kConvChunks = 32;           // at most; each has memory of its own
constexpr int64_t kConvChunkFlops = 1 << 20;  // about 10 µs
constexpr int64_t kPixelsTogether = 256;      // whose products a filter gradient adds up before it looks at memory

/// Images (n, y.in, x.in, channels) of which `c` neighbouring channels are read.
struct Images {
  const float* at;
  int64_t channels, c;
};

struct Blocking {
  int64_t images, rows;      // of a block: several images whole, or some rows of the output of one
  int64_t per_image, items;  // blocks of an image (1 with several images), and of all
  int64_t padded_rows, padded_columns;

  Blocking(const Windows& s, int64_t c, int64_t images_wanted) {
    padded_columns = (s.x.out - 1) * s.x.stride + s.x.span();
    const int64_t row = larger(1, padded_columns * c), most = larger(1, kBlockFloats / row);
    rows = larger(1, smaller(s.y.out, (most - s.y.span()) / s.y.stride + 1));
    if (s.n < kLeastItems) rows = smaller(rows, ceil_div(s.y.out, ceil_div(kLeastItems, larger(s.n, 1))));
    per_image = ceil_div(s.y.out, rows);
    rows = ceil_div(s.y.out, per_image);
    per_image = ceil_div(s.y.out, rows);
    images = 1;
    if (per_image == 1) {
      const int64_t image = ((rows - 1) * s.y.stride + s.y.span()) * row;
      images = larger(1, smaller(smaller(images_wanted, larger(1, kBlockFloats / image)), s.n / kLeastItems));
    }
    padded_rows = (rows - 1) * s.y.stride + s.y.span();
    items = ceil_div(s.n, images) * per_image;
  }
  Range images_of(int64_t item, int64_t n) const {
    const int64_t first = item / per_image * images;
    return {first, smaller(first + images, n)};
  }
  Range rows_of(int64_t item, int64_t out) const {
    const int64_t first = item % per_image * rows;
    return {first, smaller(first + rows, out)};
  }
  int64_t image_floats(int64_t c) const { return padded_rows * padded_columns * c; }
};

DH_HOST_DEVICE void copy_floats(const float* from, float* to, int64_t n) {
  int64_t i = 0;
  for (; i + kWidth <= n; i += kWidth) store(to + i, load(from + i));
  for (; i < n; ++i) to[i] = from[i];
}

DH_HOST_DEVICE void zero_floats(float* to, int64_t n) {
  int64_t i = 0;
  for (; i + kWidth <= n; i += kWidth) store(to + i, zero());
  for (; i < n; ++i) to[i] = 0;
}

/// What the output rows of an image read, with zeros for what lies outside: (padded_rows, padded_columns, c).
inline void pad_copy(const Windows& s, const Blocking& blocking, const Images& from, int64_t image, Range rows,
                     float* to) {
  const int64_t c = from.c, line = blocking.padded_columns * c;
  const int64_t first = rows.begin * s.y.stride - s.y.before;
  const int64_t count = (rows.size() - 1) * s.y.stride + s.y.span();
  const int64_t left = smaller(larger(s.x.before, 0), blocking.padded_columns);
  const int64_t skipped = larger(-s.x.before, 0);
  const int64_t inside = larger(0, smaller(s.x.in - skipped, blocking.padded_columns - left));
  for (int64_t r = 0; r < count; ++r, to += line) {
    const int64_t y = first + r;
    if (y < 0 || y >= s.y.in) {
      zero_floats(to, line);
      continue;
    }
    const float* source = from.at + ((image * s.y.in + y) * s.x.in + skipped) * from.channels;
    zero_floats(to, left * c);
    if (c == from.channels) {
      copy_floats(source, to + left * c, inside * c);
    } else {
      for (int64_t x = 0; x < inside; ++x) copy_floats(source + x * from.channels, to + (left + x) * c, c);
    }
    zero_floats(to + (left + inside) * c, line - (left + inside) * c);
  }
}

DH_HOST_DEVICE size_t rounded_up(int64_t floats) { return static_cast<size_t>(ceil_div(floats, 16) * 64); }

DH_HOST_DEVICE int64_t chunks_of(int64_t items, int64_t flops) {
  return larger(1, smaller(smaller(items, kConvChunks), flops / kConvChunkFlops + 1));
}

}  // namespace
}  // namespace downhill::cpu::DH_ISA
