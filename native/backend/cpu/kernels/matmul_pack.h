// Packing: copies a block of a or b into the order in which the inner kernel reads it.
#pragma once
#include "backend/cpu/kernels/matmul_vec.h"

namespace downhill::cpu::DH_ISA {
namespace {

/// Stores the first `count` lanes at to, or the whole vector where the rest lands in padding or is overwritten later:
/// `room` floats from `to` on are the block's own.
DH_HOST_DEVICE void store_loose(float* to, Vec v, int count, bool loose, int64_t room) {
  if (count == kWidth || (loose && room >= kWidth)) {
    store(to, v);
  } else {
    store_first(to, v, count);
  }
}

/// to[p · step + i] = from[p · ld + i] for p < k, i < count <= step.
void pack_copy(const float* from, int64_t ld, int64_t k, int64_t count, float* to, int64_t step) {
  for (int64_t i = 0; i < count; i += kWidth) {
    const int width = static_cast<int>(smaller(kWidth, count - i));
    const bool loose = i == 0 || i + kWidth <= step;
    const float* source = from + i;
    float* target = to + i;
    if (width == kWidth) {
      for (int64_t p = 0; p < k; ++p, source += ld, target += step) store(target, load(source));
    } else {
      for (int64_t p = 0; p < k; ++p, source += ld, target += step)
        store_loose(target, load_first(source, width), width, loose, (k - p) * step - i);
    }
  }
}

/// Panels of b behind one another, all columns of a row at a time: pages and lines are then met once.
inline void pack_panels(const float* from, int64_t ld, int64_t k, int64_t panels, float* to) {
  for (int64_t p = 0; p < k; ++p, from += ld, to += kTileCols) {
    for (int64_t q = 0; q < panels; ++q)
#pragma GCC unroll 4
      for (int v = 0; v < kTileVecs; ++v)
        store(to + q * k * kTileCols + v * kWidth, load(from + q * kTileCols + v * kWidth));
  }
}

/// to[p · step + i] = from[i · ld + p] for p < k, i < count <= step: four p at a time, each lane transposing four rows.
/// Padding up to a whole vector repeats the last row.
void pack_transpose(const float* from, int64_t ld, int64_t k, int64_t count, float* to, int64_t step) {
  for (int64_t i = 0; i < count; i += kWidth) {
    const int width = static_cast<int>(smaller(kWidth, count - i));
    const bool padded = i + kWidth <= step, loose = i == 0 || padded;
    const float* rows[kWidth];
    for (int r = 0; r < kWidth; ++r) rows[r] = from + (i + smaller(r, width - 1)) * ld;
    float* target = to + i;
    int64_t p = 0;
    for (; p + 4 <= k; p += 4, target += 4 * step) {
      const Vec r0 = load_lanes(rows, p), r1 = load_lanes(rows + 1, p);
      const Vec r2 = load_lanes(rows + 2, p), r3 = load_lanes(rows + 3, p);
      const Vec a = low_pairs(r0, r1), b = low_pairs(r2, r3), c = high_pairs(r0, r1), d = high_pairs(r2, r3);
      const int64_t room = (k - p) * step - i;
      store_loose(target, low_halves(a, b), width, loose, room);
      store_loose(target + step, high_halves(a, b), width, loose, room - step);
      store_loose(target + 2 * step, low_halves(c, d), width, loose, room - 2 * step);
      store_loose(target + 3 * step, high_halves(c, d), width, loose, room - 3 * step);
    }
    for (; p < k; ++p, target += step)
      for (int r = 0; r < (padded ? kWidth : width); ++r) target[r] = rows[r][p];
  }
}

}  // namespace
}  // namespace downhill::cpu::DH_ISA
