// Softmax and its relatives for short rows (a network's classes): sixteen rows are laid side by side, one in each lane,
// so that no step works across the lanes of a vector. Included by rows.cpp.
#pragma once
#include <cstdint>

#include "core/math.h"
#include "ops/rows.h"

namespace downhill::cpu::DH_ISA {

namespace row = downhill::DH_ISA::row;

inline constexpr int64_t kShort = 32;  // elements of a row, at most

/// Sixteen short rows: v[j][l] is element j of row l. Rows that do not exist are zeros.
struct ShortRows {
  float v[kShort][16];
  float top[16], total[16];

  void load(const float* x, int64_t rows, int64_t n) {
    if (rows == 16) {
      for (int64_t j = 0; j < n; ++j)
        for (int l = 0; l < 16; ++l) v[j][l] = x[l * n + j];
      return;
    }
    for (int64_t j = 0; j < n; ++j)
      for (int l = 0; l < 16; ++l) v[j][l] = l < rows ? x[l * n + j] : 0.0f;
  }
  void store(float* y, int64_t rows, int64_t n) const {
    for (int64_t l = 0; l < rows; ++l)
      for (int64_t j = 0; j < n; ++j) y[l * n + j] = v[j][l];
  }

  /// top and total = Σ exp(v - top); with kKeep v becomes exp(v - top).
  template <bool kKeep>
  void exponentials(int64_t n) {
    for (int l = 0; l < 16; ++l) top[l] = -downhill::DH_ISA::math::kInf, total[l] = 0.0f;
    for (int64_t j = 0; j < n; ++j)
      for (int l = 0; l < 16; ++l) top[l] = (top[l] > v[j][l]) | (top[l] != top[l]) ? top[l] : v[j][l];
    for (int64_t j = 0; j < n; ++j)
      for (int l = 0; l < 16; ++l) {
        const float e = row::shifted_exp(v[j][l], top[l]);
        if (kKeep) v[j][l] = e;
        total[l] += e;
      }
  }
  void logarithms() {
    for (int l = 0; l < 16; ++l) total[l] = downhill::DH_ISA::math::log(total[l]);
  }
};

/// Calls f(first row, rows) for sixteen rows at a time.
template <typename F>
inline void for_short_rows(int64_t rows, F f) {
  for (int64_t begin = 0; begin < rows; begin += 16) f(begin, rows - begin < 16 ? rows - begin : int64_t{16});
}

inline void short_softmax(const float* x, float* y, int64_t rows, int64_t n) {
  ShortRows z;
  for_short_rows(rows, [&](int64_t begin, int64_t count) {
    z.load(x + begin * n, count, n);
    z.exponentials<true>(n);
    for (int l = 0; l < 16; ++l) z.total[l] = 1.0f / z.total[l];
    for (int64_t j = 0; j < n; ++j)
      for (int l = 0; l < 16; ++l) z.v[j][l] *= z.total[l];
    z.store(y + begin * n, count, n);
  });
}

inline void short_log_softmax(const float* x, float* y, int64_t rows, int64_t n) {
  ShortRows z;
  for_short_rows(rows, [&](int64_t begin, int64_t count) {
    z.load(x + begin * n, count, n);
    z.exponentials<false>(n);
    z.logarithms();
    for (int64_t j = 0; j < n; ++j)
      for (int l = 0; l < 16; ++l) z.v[j][l] = row::log_softmax(z.v[j][l], z.top[l], z.total[l]);
    z.store(y + begin * n, count, n);
  });
}

inline void short_log_sum_exp(const float* x, float* y, int64_t rows, int64_t n) {
  ShortRows z;
  for_short_rows(rows, [&](int64_t begin, int64_t count) {
    z.load(x + begin * n, count, n);
    z.exponentials<false>(n);
    z.logarithms();
    for (int64_t l = 0; l < count; ++l) y[begin + l] = row::log_sum_exp(z.top[l], z.total[l]);
  });
}

inline void short_cross_entropy(const float* x, const float* targets, float* y, int64_t rows, int64_t n) {
  ShortRows z, t;
  for_short_rows(rows, [&](int64_t begin, int64_t count) {
    z.load(x + begin * n, count, n);
    t.load(targets + begin * n, count, n);
    z.exponentials<false>(n);
    z.logarithms();
    float weight[16] = {}, dot[16] = {};
    for (int64_t j = 0; j < n; ++j)
      for (int l = 0; l < 16; ++l) {
        weight[l] += t.v[j][l];
        dot[l] += row::cross_entropy_term(z.v[j][l], t.v[j][l], z.top[l]);
      }
    for (int64_t l = 0; l < count; ++l) y[begin + l] = row::cross_entropy(weight[l], z.total[l], dot[l]);
  });
}

inline void short_cross_entropy_grad(const float* x, const float* targets, const float* d_y, float* d_x, int64_t rows,
                                     int64_t n) {
  ShortRows z, t;
  for_short_rows(rows, [&](int64_t begin, int64_t count) {
    z.load(x + begin * n, count, n);
    t.load(targets + begin * n, count, n);
    z.exponentials<true>(n);
    float d[16] = {}, scale[16] = {};
    for (int64_t l = 0; l < count; ++l) d[l] = d_y[begin + l];
    for (int64_t j = 0; j < n; ++j)
      for (int l = 0; l < 16; ++l) scale[l] += t.v[j][l];
    for (int l = 0; l < 16; ++l) scale[l] /= z.total[l];
    for (int64_t j = 0; j < n; ++j)
      for (int l = 0; l < 16; ++l) z.v[j][l] = row::cross_entropy_grad(z.v[j][l], scale[l], t.v[j][l], d[l]);
    z.store(d_x + begin * n, count, n);
  });
}

inline void short_sparse_cross_entropy(const float* x, const int32_t* labels, float* y, int64_t rows, int64_t n) {
  ShortRows z;
  for_short_rows(rows, [&](int64_t begin, int64_t count) {
    z.load(x + begin * n, count, n);
    z.exponentials<false>(n);
    z.logarithms();
    for (int64_t l = 0; l < count; ++l)
      y[begin + l] = row::sparse_cross_entropy(z.v[labels[begin + l]][l], z.top[l], z.total[l]);
  });
}

inline void short_sparse_cross_entropy_grad(const float* x, const int32_t* labels, const float* d_y, float* d_x,
                                            int64_t rows, int64_t n) {
  ShortRows z;
  for_short_rows(rows, [&](int64_t begin, int64_t count) {
    z.load(x + begin * n, count, n);
    z.exponentials<true>(n);
    float d[16] = {};
    for (int64_t l = 0; l < count; ++l) d[l] = d_y[begin + l];
    for (int l = 0; l < 16; ++l) z.total[l] = 1.0f / z.total[l];
    for (int64_t j = 0; j < n; ++j)
      for (int l = 0; l < 16; ++l) z.v[j][l] = d[l] * (z.v[j][l] * z.total[l]);
    for (int64_t l = 0; l < count; ++l) z.v[labels[begin + l]][l] -= d[l];
    z.store(d_x + begin * n, count, n);
  });
}

}  // namespace downhill::cpu::DH_ISA
