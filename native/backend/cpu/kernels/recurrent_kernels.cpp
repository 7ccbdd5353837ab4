// Recurrences with float32 products: tiles of the matrix product, as its inner kernel has them.
#include "backend/cpu/kernels/matmul_pack.h"
#include "backend/cpu/kernels/matmul_tile.h"
#include "backend/cpu/kernels/recurrent_entry.h"
#include "backend/cpu/kernels/recurrent_loops.h"

namespace downhill::cpu::DH_ISA {
namespace {

constexpr int64_t kBlockK = 8192 / kTileCols;  // a panel is 32 KiB: the first-level cache

/// b (k, n) in panels, each k by a tile's columns, zeros or junk behind the last.
struct Packed {
  int64_t k, n;
  float* at;
  int64_t panels() const { return ceil_div(n, kTileCols); }
  int64_t floats() const { return panels() * kTileCols * k; }

  static int64_t own_floats(int64_t) { return 0; }
  static bool in_range(float*) { return true; }
  void begin(float*) const {}
  struct Thread {};  // no state of it

  /// Of b, or of (n, k) when transposed.
  void fill(const float* b, bool transposed) const {
    parallel_for(panels(), [&](int64_t panel) {
      const int64_t column = panel * kTileCols, count = smaller(kTileCols, n - column);
      float* const to = at + column * k;
      if (transposed)
        pack_transpose(b + column * k, k, k, count, to, kTileCols);
      else
        pack_copy(b + column, n, k, count, to, kTileCols);
    });
  }

  /// c (rows, n) = a (rows, k) · b, plus bias; leading dimensions a_row and c_row.
  void multiply(const float* a, int64_t a_row, int64_t rows, float* c, int64_t c_row, const float* bias, float*) const {
    const int64_t tiles = ceil_div(rows, kTileRows);
    TileArgs tile;
    tile.a_row = a_row, tile.a_step = 1, tile.b_step = kTileCols, tile.ldc = c_row;
    for (int64_t panel = 0; panel < panels(); ++panel) {
      const int64_t column = panel * kTileCols, count = smaller(kTileCols, n - column);
      const int vecs = static_cast<int>(ceil_div(count, kWidth));
      tile.last = static_cast<int>(count - (vecs - 1) * kWidth);
      for (int64_t k0 = 0; k0 < k; k0 += kBlockK) {
        tile.k = smaller(kBlockK, k - k0);
        tile.b = at + column * k + k0 * kTileCols;
        tile.accumulate = k0 > 0;
        tile.bias = bias && k0 + tile.k == k ? bias + column : nullptr;
        for (int64_t t = 0; t < tiles; ++t) {
          const int64_t row = t * rows / tiles, height = (t + 1) * rows / tiles - row;
          tile.a = a + row * a_row + k0;
          tile.c = c + row * c_row + column;
          tile_of<MatmulTiles<>>(height, vecs)(tile);
        }
      }
    }
  }
};

size_t scratch_bytes(const RecurrentArgs& args, bool backward) { return Layout<Packed>(args, backward).bytes(); }

template <bool kBackward>
void run(const RecurrentArgs& args) {
  run_loops<Packed, kBackward>(args);
}

}  // namespace

extern const RecurrentKernels recurrent_kernels = {scratch_bytes, run<false>, run<true>};

}  // namespace downhill::cpu::DH_ISA
