// Two strips multiplied in the tile registers of AMX, 32 by 32 sums at a time.
#pragma once
#include "backend/cpu/kernels/bfloat16/strips.h"

namespace downhill::cpu::DH_ISA {
namespace {

struct alignas(64) TileConfig {
  uint8_t palette = 1, start_row = 0, reserved[14] = {};
  uint16_t row_bytes[16] = {64, 64, 64, 64, 64, 64, 64, 64};
  uint8_t rows[16] = {16, 16, 16, 16, 16, 16, 16, 16};
};
const TileConfig kTileConfig;

/// The tile registers of this thread are configured while it lives: other code never sees them in use.
struct Engine {
  Engine() { _tile_loadconfig(&kTileConfig); }
  ~Engine() { _tile_release(); }
  Engine(const Engine&) = delete;
  Engine& operator=(const Engine&) = delete;
};

// Tiles 0 to 3 hold sums, 4 and 5 those of a, 6 and 7 those of b. The intrinsics want literal numbers.
template <int Rows>
DH_HOST_DEVICE void load_a(const std::byte* a) {
  _tile_loadd(4, a, 64);
  if constexpr (Rows == 2) _tile_loadd(5, a + kTileBytes, 64);
}

template <int Cols>
DH_HOST_DEVICE void load_b(const std::byte* b) {
  _tile_loadd(6, b, 64);
  if constexpr (Cols == 2) _tile_loadd(7, b + kTileBytes, 64);
}

template <int Rows, int Cols>
DH_HOST_DEVICE void add_products() {
  _tile_dpbf16ps(0, 4, 6);
  if constexpr (Cols == 2) _tile_dpbf16ps(1, 4, 7);
  if constexpr (Rows == 2) _tile_dpbf16ps(2, 5, 6);
  if constexpr (Rows == 2 && Cols == 2) _tile_dpbf16ps(3, 5, 7);
}

DH_HOST_DEVICE void zero_sums() {
  _tile_zero(0);
  _tile_zero(1);
  _tile_zero(2);
  _tile_zero(3);
}

template <int Rows, int Cols>
DH_HOST_DEVICE void store_sums(float* c, int64_t ldc) {
  float* const c2 = c + kTile * ldc;
  const int64_t row = ldc * 4;
  _tile_stored(0, c, row);
  if constexpr (Cols == 2) _tile_stored(1, c + kTile, row);
  if constexpr (Rows == 2) _tile_stored(2, c2, row);
  if constexpr (Rows == 2 && Cols == 2) _tile_stored(3, c2 + kTile, row);
}

/// One depth of a and b. Of three parts each (hi, mid, lo) six products matter: these five, and hi · hi.
template <int Rows, int Cols>
DH_HOST_DEVICE void add_small_products(const std::byte* a, const std::byte* b) {
  load_a<Rows>(a + 2 * kPartBytes);
  load_b<Cols>(b);
  add_products<Rows, Cols>();  // lo · hi
  load_a<Rows>(a + kPartBytes);
  add_products<Rows, Cols>();  // mid · hi
  load_b<Cols>(b + kPartBytes);
  add_products<Rows, Cols>();  // mid · mid
  load_a<Rows>(a);
  add_products<Rows, Cols>();  // hi · mid
  load_b<Cols>(b + 2 * kPartBytes);
  add_products<Rows, Cols>();  // hi · lo
}

/// One depth of parts that are all there is, or hi · hi.
template <int Rows, int Cols>
DH_HOST_DEVICE void add_main_products(const std::byte* a, const std::byte* b) {
  load_a<Rows>(a);
  load_b<Cols>(b);
  add_products<Rows, Cols>();
}

/// c (16 Rows, 16 Cols) = or += a · b. Of three parts hi · hi comes last, so that the others are added to small sums.
template <int Parts, int Rows, int Cols>
void multiply_strips(const StripArgs& args) {
  float *const c0 = args.c, *const c2 = c0 + kTile * args.ldc;
  const int64_t row = args.ldc * 4;
  asm volatile("" ::: "memory");  // GCC's tile loads do not say that they read memory
  if (args.accumulate) {
    _tile_loadd(0, c0, row);
    if constexpr (Cols == 2) _tile_loadd(1, c0 + kTile, row);
    if constexpr (Rows == 2) _tile_loadd(2, c2, row);
    if constexpr (Rows == 2 && Cols == 2) _tile_loadd(3, c2 + kTile, row);
  } else {
    zero_sums();
  }
  constexpr int64_t kStep = Parts * kPartBytes;
  Ahead ahead(args);
  if constexpr (Parts == 3) {
    const std::byte *a = args.a, *b = args.b;
    for (int64_t d = args.depths; d > 0; --d, a += kStep, b += kStep) {
      ahead.fetch();
      add_small_products<Rows, Cols>(a, b);
    }
  }
  const std::byte *a = args.a, *b = args.b;
  for (int64_t d = args.depths; d > 0; --d, a += kStep, b += kStep) {
    ahead.fetch();
    add_main_products<Rows, Cols>(a, b);
  }
  store_sums<Rows, Cols>(c0, args.ldc);
}

/// c (16 Rows, 16 Cols), rows kStrip apart, = a · b over runs of depths: walk(add) calls add(a, b, depths, a_step) for
/// each, where a's depths lie a_step apart. Parts as in multiply_strips.
template <int Parts, int Rows, int Cols, typename Walk>
void multiply_runs(const Walk& walk, float* c) {
  constexpr int64_t kStep = Parts * kPartBytes;
  asm volatile("" ::: "memory");
  zero_sums();
  if constexpr (Parts == 3)
    walk([](const std::byte* a, const std::byte* b, int64_t depths, int64_t a_step) {
      for (; depths > 0; --depths, a += a_step, b += kStep) add_small_products<Rows, Cols>(a, b);
    });
  walk([](const std::byte* a, const std::byte* b, int64_t depths, int64_t a_step) {
    for (; depths > 0; --depths, a += a_step, b += kStep) add_main_products<Rows, Cols>(a, b);
  });
  store_sums<Rows, Cols>(c, kStrip);
}

/// Tiles 0 to 3 += tile 4 · those of b.
template <int Cols>
DH_HOST_DEVICE void add_row(const std::byte* b, size_t b_strip) {
  _tile_loadd(5, b, 64);
  _tile_dpbf16ps(0, 4, 5);
  if constexpr (Cols > 1) {
    _tile_loadd(6, b + kTileBytes, 64);
    _tile_dpbf16ps(1, 4, 6);
  }
  if constexpr (Cols > 2) {
    _tile_loadd(7, b + b_strip, 64);
    _tile_dpbf16ps(2, 4, 7);
  }
  if constexpr (Cols > 3) {
    _tile_loadd(5, b + b_strip + kTileBytes, 64);
    _tile_dpbf16ps(3, 4, 5);
  }
}

/// sums = a · b, of Cols tiles' columns: as many sums at a time as hide how long one takes. Parts as in
/// multiply_strips.
template <int Parts, int Cols>
void multiply_row(const RowArgs& args) {
  constexpr int64_t kStep = Parts * kPartBytes;
  const size_t strip = args.b_strip;
  asm volatile("" ::: "memory");
  _tile_zero(0);
  _tile_zero(1);
  _tile_zero(2);
  _tile_zero(3);
  if constexpr (Parts == 3) {
    const std::byte *a = args.a, *b = args.b;
    for (int64_t d = args.depths; d > 0; --d, a += kStep, b += kStep) {
      _tile_loadd(4, a + 2 * kPartBytes, 64);
      add_row<Cols>(b, strip);
      _tile_loadd(4, a + kPartBytes, 64);
      add_row<Cols>(b, strip);
      add_row<Cols>(b + kPartBytes, strip);
      _tile_loadd(4, a, 64);
      add_row<Cols>(b + kPartBytes, strip);
      add_row<Cols>(b + 2 * kPartBytes, strip);
    }
  }
  const std::byte *a = args.a, *b = args.b;
  for (int64_t d = args.depths; d > 0; --d, a += kStep, b += kStep) {
    _tile_loadd(4, a, 64);
    add_row<Cols>(b, strip);
  }
  constexpr int64_t kRow = kRowSums * 4;
  _tile_stored(0, args.sums, kRow);
  if constexpr (Cols > 1) _tile_stored(1, args.sums + kTile, kRow);
  if constexpr (Cols > 2) _tile_stored(2, args.sums + 2 * kTile, kRow);
  if constexpr (Cols > 3) _tile_stored(3, args.sums + 3 * kTile, kRow);
}

}  // namespace
}  // namespace downhill::cpu::DH_ISA
