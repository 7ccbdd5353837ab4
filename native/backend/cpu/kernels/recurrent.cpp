// Recurrences. A chunk is a few rows, which go through all time steps on one thread: rows do not need each other, so no
// step waits. The recurrent kernel is packed once; per step a product of the chunk's states with it, then the cells.
#include "backend/cpu/kernels/matmul_finish.h"
#include "backend/cpu/kernels/matmul_pack.h"
#include "backend/cpu/kernels/matmul_tile.h"
#include "backend/cpu/kernels/recurrent_entry.h"
#include "backend/cpu/pool.h"

namespace downhill::cpu::DH_ISA {
namespace {

constexpr int64_t kBlockK = 8192 / kTileCols;  // a panel is 32 KiB: the first-level cache
constexpr int64_t kLine = 16;                  // floats of 64 bytes

int64_t rounded(int64_t floats) { return ceil_div(floats, kLine) * kLine; }

/// Rows of a chunk: a function of the batch alone.
int64_t chunk_rows(int64_t n) { return n >= 256 ? 32 : n >= 64 ? 16 : n >= 16 ? 8 : 4; }

/// b (k, n) in panels, each k by a tile's columns, zeros or junk behind the last.
struct Packed {
  int64_t k, n;
  float* at;
  int64_t panels() const { return ceil_div(n, kTileCols); }
  int64_t floats() const { return panels() * kTileCols * k; }

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
  void multiply(const float* a, int64_t a_row, int64_t rows, float* c, int64_t c_row, const float* bias) const {
    const int64_t tiles = ceil_div(rows, kTileRows);
    TileArgs tile;
    tile.a_row = a_row, tile.a_step = 1, tile.b_step = kTileCols, tile.ldc = c_row;
    tile.ahead_row = tile.ahead_line = 0;
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
          tile.ahead = tile.a;  // the states are in the first cache
          tile.c = c + row * c_row + column;
          tile_of<MatmulTiles>(height, vecs)(tile);
        }
      }
    }
  }
};

/// Where scratch lies: the packed kernel, then the memory of each chunk. Rows are a line longer than their columns, so
/// that those of 4 KiB do not fall into one set of the cache.
struct Layout {
  int64_t rows, chunks;
  int64_t unit_row, gate_row;  // floats
  int64_t packed, own;         // floats: in all; of a chunk

  Layout(const RecurrentArgs& args, bool backward) {
    const int64_t gates = sizes_of(args.cell).gates * args.units;
    rows = chunk_rows(args.n);
    chunks = ceil_div(args.n, rows);
    unit_row = rounded(args.units) + kLine, gate_row = rounded(gates) + kLine;
    const Packed kernel = backward ? Packed{gates, args.units, nullptr} : Packed{args.units, gates, nullptr};
    packed = rounded(kernel.floats());
    own = rows * ((backward ? 3 : 1) * unit_row + gate_row);
  }
  size_t bytes() const { return static_cast<size_t>(packed + chunks * own) * sizeof(float); }
};

void set_zero(float* to, int64_t count) {
  for (int64_t i = 0; i < count; ++i) to[i] = 0.0f;
}
void copy(const float* from, float* to, int64_t count) {
  for (int64_t i = 0; i < count; ++i) to[i] = from[i];
}

void add(const float* x, float* to, int64_t count) {
  for (int64_t i = 0; i < count; ++i) to[i] += x[i];
}

bool is_masked(const RecurrentArgs& args, int64_t row, int64_t t) {
  return args.mask && args.mask[row * args.steps + t] == 0.0f;
}
/// Whether no row has that step: nothing is to be computed.
bool all_masked(const RecurrentArgs& args, Range rows, int64_t t) {
  for (int64_t row = rows.begin; row < rows.end; ++row)
    if (!is_masked(args, row, t)) return false;
  return true;
}

template <typename C>
void cells_forward(const float* x, const float* m, const float* h, const float* c, float* h_next, float* states,
                   int64_t units) {
  constexpr CellSizes kSizes = sizes_of(C::kCell);
#pragma GCC ivdep
  for (int64_t j = 0; j < units; ++j) {
    float in[kSizes.gates], product[kSizes.gates], out[kSizes.states];
#pragma GCC unroll 4
    for (int64_t g = 0; g < kSizes.gates; ++g) in[g] = x[g * units + j], product[g] = m[g * units + j];
    C::forward(in, product, h[j], kSizes.carried > 1 ? c[j] : 0.0f, out);
#pragma GCC unroll 6
    for (int64_t s = 0; s < kSizes.states; ++s) states[s * units + j] = out[s];
    h_next[j] = out[0];
  }
}

/// One chunk through all steps.
template <typename C>
void forward_rows(const RecurrentArgs& args, const Layout& layout, const Packed& kernel, Range rows, float* own) {
  constexpr CellSizes kSizes = sizes_of(C::kCell);
  const int64_t units = args.units, gates = kSizes.gates * units, states = kSizes.states * units, count = rows.size();
  float *const h = own, *const m = own + layout.rows * layout.unit_row;
  for (int64_t r = 0; r < count; ++r) {
    float* const to = h + r * layout.unit_row;
    if (args.h)
      copy(args.h + (rows.begin + r) * units, to, units);
    else
      set_zero(to, units);
  }
  for (int64_t t = 0; t < args.steps; ++t) {
    if (all_masked(args, rows, t)) {
      // Nothing to multiply.
    } else if (t > 0 || args.h) {
      kernel.multiply(h, layout.unit_row, count, m, layout.gate_row, args.bias);
    } else {
      for (int64_t r = 0; r < count; ++r) {
        if (args.bias)
          copy(args.bias, m + r * layout.gate_row, gates);
        else
          set_zero(m + r * layout.gate_row, gates);
      }
    }
    for (int64_t r = 0; r < count; ++r) {
      const int64_t at = (rows.begin + r) * args.steps + t;
      float *const own_h = h + r * layout.unit_row, *const to = args.to + at * states;
      // Before the first step h is zeros, and so is the cell state, if none is given.
      const float* const c = t > 0 ? to - states + units : args.c ? args.c + (rows.begin + r) * units : own_h;
      if (is_masked(args, rows.begin + r, t)) {
        copy(own_h, to, units);
        if (kSizes.carried > 1) copy(c, to + units, units);
        set_zero(to + kSizes.carried * units, states - kSizes.carried * units);
        continue;
      }
      cells_forward<C>(args.x + at * gates, m + r * layout.gate_row, own_h, c, own_h, to, units);
    }
  }
}

template <typename C, bool kFull>
void cells_backward(const float* states, const float* h, const float* c, const float* d, float* d_h, float* d_c,
                    float* gradients, float* recurrent, int64_t units) {
  constexpr CellSizes kSizes = sizes_of(C::kCell);
#pragma GCC ivdep
  for (int64_t j = 0; j < units; ++j) {
    float s[kSizes.states], of[kSizes.states], g[kSizes.gradients];
#pragma GCC unroll 6
    for (int64_t i = 0; i < kSizes.states; ++i) {
      s[i] = states[i * units + j];
      of[i] = kFull || i == 0 ? d[i * units + j] : 0.0f;
    }
    float own_h = d_h[j], own_c = d_c[j];
    C::backward(s, h[j], c[j], of, own_h, own_c, g);
    d_h[j] = own_h;
    d_c[j] = own_c;
#pragma GCC unroll 4
    for (int64_t i = 0; i < kSizes.gradients; ++i) gradients[i * units + j] = g[i];
#pragma GCC unroll 4
    for (int64_t i = 0; i < kSizes.gates; ++i) recurrent[i * units + j] = g[i];
  }
}

template <typename C>
void backward_rows(const RecurrentArgs& args, const Layout& layout, const Packed& kernel, Range rows, float* own) {
  constexpr CellSizes kSizes = sizes_of(C::kCell);
  const int64_t units = args.units, states = kSizes.states * units, width = kSizes.gradients * units;
  const int64_t count = rows.size(), area = layout.rows * layout.unit_row, steps_out = args.steps + args.initial;
  float *const d_h = own, *const d_c = own + area, *const product = own + 2 * area, *const recurrent = own + 3 * area;
  set_zero(own, 3 * area);
  const bool full = args.width != units;
  for (int64_t t = args.steps - 1; t >= 0; --t) {
    for (int64_t r = 0; r < count; ++r) {
      const int64_t row = rows.begin + r, at = row * args.steps + t;
      const float* const s = args.states + at * states;
      // Zeros before the first step, if nothing is given: the product of the step after the last is not needed any
      // more.
      float* const zeros = recurrent + r * layout.gate_row;
      if (t == 0 && !args.h) set_zero(zeros, units);
      const float* const h = t > 0 ? s - states : args.h ? args.h + row * units : zeros;
      const float* const c = t > 0 && kSizes.carried > 1 ? h + units : t == 0 && args.c ? args.c + row * units : h;
      const int64_t u = r * layout.unit_row;
      float* const to = args.to + (row * steps_out + t) * width;
      add(product + u, d_h + u, units);
      if (is_masked(args, row, t)) {  // the step before has all of what this one was given
        const float* const d = args.d + at * args.width;
        add(d, d_h + u, units);
        if (full && kSizes.carried > 1) add(d + units, d_c + u, units);
        set_zero(to, width);
        set_zero(recurrent + r * layout.gate_row, kSizes.gates * units);
        continue;
      }
      (full ? cells_backward<C, true> : cells_backward<C, false>)(s, h, c, args.d + at * args.width, d_h + u, d_c + u,
                                                                  to, recurrent + r * layout.gate_row, units);
    }
    if (all_masked(args, rows, t))
      set_zero(product, area);
    else if (t > 0 || args.initial)
      kernel.multiply(recurrent, layout.gate_row, count, product, layout.unit_row, nullptr);
  }
  if (!args.initial) return;
  for (int64_t r = 0; r < count; ++r) {
    float* const to = args.to + ((rows.begin + r) * steps_out + args.steps) * width;
    const int64_t u = r * layout.unit_row;
    set_zero(to, width);
    for (int64_t j = 0; j < units; ++j) to[j] = d_h[u + j] + product[u + j];
    if (kSizes.carried > 1) copy(d_c + u, to + units, units);
  }
}

size_t scratch_bytes(const RecurrentArgs& args, bool backward) { return Layout(args, backward).bytes(); }

template <bool kBackward>
void run(const RecurrentArgs& args) {
  if (args.n == 0 || args.units == 0) return;
  const Layout layout(args, kBackward);
  const int64_t gates = sizes_of(args.cell).gates * args.units;
  float* const scratch = reinterpret_cast<float*>(args.scratch);
  const Packed kernel = kBackward ? Packed{gates, args.units, scratch} : Packed{args.units, gates, scratch};
  kernel.fill(args.kernel, kBackward);
  downhill::DH_ISA::with_cell(args.cell, [&](auto cell) {
    using C = decltype(cell);
    parallel_for(layout.chunks, [&](int64_t chunk) {
      const Range rows = {chunk * layout.rows, smaller((chunk + 1) * layout.rows, args.n)};
      float* const own = scratch + layout.packed + chunk * layout.own;
      if constexpr (kBackward)
        backward_rows<C>(args, layout, kernel, rows, own);
      else
        forward_rows<C>(args, layout, kernel, rows, own);
    });
  });
}

}  // namespace

extern const RecurrentKernels recurrent_kernels = {scratch_bytes, run<false>, run<true>};

}  // namespace downhill::cpu::DH_ISA
