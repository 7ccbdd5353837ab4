// Kernels of tiles by their size: R rows by V vectors.
#pragma once
#include <cstdint>

#include "backend/cpu/kernels/matmul_vec.h"

namespace downhill::cpu::DH_ISA {
namespace {

/// `Tile::kernel<R, V>()` for all R of a V.
template <typename Tile, int V>
struct TileRow {
  typename Tile::Kernel of[kTileRows];
  constexpr TileRow() : of() { fill<kTileRows>(); }
  template <int R>
  constexpr void fill() {
    of[R - 1] = Tile::template kernel<R, V>();
    if constexpr (R > 1) fill<R - 1>();
  }
};

/// The kernel for a tile of that many rows and vectors.
template <typename Tile, int V = kTileVecs>
typename Tile::Kernel tile_of(int64_t rows, int64_t vecs) {
  static constexpr TileRow<Tile, V> kernels;
  if constexpr (V > 1) {
    if (vecs < V) return tile_of<Tile, V - 1>(rows, vecs);
  }
  return kernels.of[rows - 1];
}

}  // namespace
}  // namespace downhill::cpu::DH_ISA
