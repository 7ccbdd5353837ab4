// Recurrences. A chunk is a few rows, which go through all time steps on one thread: rows do not need each other, so no
// step waits. The recurrent kernel is packed once; per step a product of the chunk's states with it, then the cells.
// `Product` is how that kernel is packed and multiplied with.
#pragma once
#include "backend/cpu/kernels/matmul_finish.h"
#include "backend/cpu/kernels/matmul_vec.h"
#include "backend/cpu/kernels/recurrent.h"
#include "backend/cpu/pool.h"

namespace downhill::cpu::DH_ISA {
namespace {

constexpr int64_t kLine = 16;  // floats of 64 bytes

int64_t rounded(int64_t floats) { return ceil_div(floats, kLine) * kLine; }

/// Rows of a chunk: a function of the batch alone.
int64_t chunk_rows(int64_t n) { return n >= 256 ? 32 : n >= 64 ? 16 : n >= 16 ? 8 : 4; }

/// The recurrent kernel (units, gates), or transposed.
template <typename Product>
Product product_of(const RecurrentArgs& args, bool backward, float* at) {
  const int64_t gates = sizes_of(args.cell).gates * args.units;
  return backward ? Product{gates, args.units, at} : Product{args.units, gates, at};
}

/// Where scratch lies: the packed kernel, then the memory of each chunk. Rows are a line longer than their columns, so
/// that those of 4 KiB do not fall into one set of the cache.
template <typename Product>
struct Layout {
  int64_t rows, chunks;
  int64_t unit_row, gate_row;    // floats
  int64_t packed, product, own;  // floats: in all; of a chunk, what the product needs and all

  Layout(const RecurrentArgs& args, bool backward) {
    const int64_t gates = sizes_of(args.cell).gates * args.units;
    rows = chunk_rows(args.n);
    chunks = ceil_div(args.n, rows);
    unit_row = rounded(args.units) + kLine, gate_row = rounded(gates) + kLine;
    const Product kernel = product_of<Product>(args, backward, nullptr);
    packed = rounded(kernel.floats());
    product = rounded(kernel.own_floats(rows));
    own = product + rows * ((backward ? 3 : 1) * unit_row + gate_row);
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
template <typename C, typename Product>
void forward_rows(const RecurrentArgs& args, const Layout<Product>& layout, const Product& kernel, Range rows,
                  float* memory) {
  constexpr CellSizes kSizes = sizes_of(C::kCell);
  const int64_t units = args.units, gates = kSizes.gates * units, states = kSizes.states * units, count = rows.size();
  float *const own = memory + layout.product, *const h = own, *const m = own + layout.rows * layout.unit_row;
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
      kernel.multiply(h, layout.unit_row, count, m, layout.gate_row, args.bias, memory);
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

template <typename C, typename Product>
void backward_rows(const RecurrentArgs& args, const Layout<Product>& layout, const Product& kernel, Range rows,
                   float* memory) {
  constexpr CellSizes kSizes = sizes_of(C::kCell);
  const int64_t units = args.units, states = kSizes.states * units, width = kSizes.gradients * units;
  const int64_t count = rows.size(), area = layout.rows * layout.unit_row, steps_out = args.steps + args.initial;
  float* const own = memory + layout.product;
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
      kernel.multiply(recurrent, layout.gate_row, count, product, layout.unit_row, nullptr, memory);
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

/// Whether the product had operands in its range: else `to` is not right.
template <typename Product, bool kBackward>
bool run_loops(const RecurrentArgs& args) {
  if (args.n == 0 || args.units == 0) return true;
  const Layout<Product> layout(args, kBackward);
  float* const scratch = reinterpret_cast<float*>(args.scratch);
  const Product kernel = product_of<Product>(args, kBackward, scratch);
  kernel.fill(args.kernel, kBackward);
  downhill::DH_ISA::with_cell(args.cell, [&](auto cell) {
    using C = decltype(cell);
    parallel_for(layout.chunks, [&](int64_t chunk) {
      [[maybe_unused]] const typename Product::Thread thread;
      const Range rows = {chunk * layout.rows, smaller((chunk + 1) * layout.rows, args.n)};
      float* const own = scratch + layout.packed + chunk * layout.own;
      kernel.begin(own);
      if constexpr (kBackward)
        backward_rows<C>(args, layout, kernel, rows, own);
      else
        forward_rows<C>(args, layout, kernel, rows, own);
    });
  });
  for (int64_t chunk = 0; chunk < layout.chunks; ++chunk)
    if (!kernel.in_range(scratch + layout.packed + chunk * layout.own)) return false;
  return true;
}

}  // namespace
}  // namespace downhill::cpu::DH_ISA
