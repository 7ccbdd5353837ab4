#include "data/orthogonal.h"

#include <algorithm>
#include <cmath>
#include <vector>

#include "backend/cpu/pool.h"

namespace downhill {

namespace {

constexpr int kLanes = 8;            // of a sum; fixed, so that its order is
constexpr int64_t kPanel = 32;       // reflections that are applied together while a column is in the cache
constexpr int64_t kColumnGroup = 8;  // columns that share the reading of a reflection

double dot(const double* x, const double* y, int64_t n) {
  double lanes[kLanes] = {};
  int64_t i = 0;
  for (; i + kLanes <= n; i += kLanes)
    for (int l = 0; l < kLanes; ++l) lanes[l] += x[i + l] * y[i + l];
  double rest = 0;
  for (; i < n; ++i) rest += x[i] * y[i];
  for (int width = kLanes / 2; width > 0; width /= 2)
    for (int l = 0; l < width; ++l) lanes[l] += lanes[l + width];
  return lanes[0] + rest;
}

/// x ← (I - v vᵀ) x
void reflect(const double* v, double* x, int64_t n) {
  const double scale = dot(v, x, n);
  for (int64_t i = 0; i < n; ++i) x[i] -= scale * v[i];
}

/// Replaces x by v with (I - v vᵀ) x = (±‖x‖, 0, …, 0), ‖v‖² = 2, or by 0 where x is; gives the sign of that.
double make_reflection(double* x, int64_t n) {
  const double norm = std::sqrt(dot(x, x, n));
  if (norm == 0) return 1;
  const double sign = x[0] < 0 ? 1 : -1;  // away from x[0], so that nothing cancels
  const double scale = 1 / std::sqrt(norm * (norm + std::fabs(x[0])));
  x[0] -= sign * norm;
  for (int64_t i = 0; i < n; ++i) x[i] *= scale;
  return sign;
}

/// A tall matrix by columns: (rows, columns) with each column side by side in memory.
struct Columns {
  int64_t rows, columns;
  std::vector<double> values;
  Columns(int64_t m, int64_t n) : rows(m), columns(n), values(static_cast<size_t>(m * n)) {}
  /// From row `from` on.
  double* at(int64_t column, int64_t from) { return values.data() + column * rows + from; }
};

/// Reflection k replaces column k, from row k on; signs[k] is that of R's diagonal.
void factorize(Columns& a, std::vector<double>& signs) {
  const int64_t m = a.rows, n = a.columns;
  for (int64_t begin = 0; begin < n; begin += kPanel) {
    const int64_t end = std::min(n, begin + kPanel);
    for (int64_t k = begin; k < end; ++k) {
      signs[static_cast<size_t>(k)] = make_reflection(a.at(k, k), m - k);
      for (int64_t j = k + 1; j < end; ++j) reflect(a.at(k, k), a.at(j, k), m - k);
    }
    cpu::parallel_for((n - end + kColumnGroup - 1) / kColumnGroup, [&](int64_t group) {
      const int64_t first = end + group * kColumnGroup, last = std::min(n, first + kColumnGroup);
      for (int64_t k = begin; k < end; ++k)
        for (int64_t j = first; j < last; ++j) reflect(a.at(k, k), a.at(j, k), m - k);
    });
  }
}

/// q = H₀ H₁ … times the first columns of the identity, each times its sign.
void form(Columns& reflections, const std::vector<double>& signs, Columns& q) {
  const int64_t m = q.rows, n = q.columns;
  cpu::parallel_for((n + kColumnGroup - 1) / kColumnGroup, [&](int64_t group) {
    const int64_t first = group * kColumnGroup, last = std::min(n, first + kColumnGroup);
    for (int64_t j = first; j < last; ++j) *q.at(j, j) = signs[static_cast<size_t>(j)];
    for (int64_t k = last - 1; k >= 0; --k)
      for (int64_t j = std::max(first, k); j < last; ++j) reflect(reflections.at(k, k), q.at(j, k), m - k);
  });
}

}  // namespace

void fill_orthogonal(float* values, int64_t rows, int64_t columns, double gain, DrawKey key) {
  const int64_t m = std::max(rows, columns), n = std::min(rows, columns);
  if (n == 0) return;
  Columns a(m, n), q(m, n);
  std::vector<double> signs(static_cast<size_t>(n));
  fill_normal(values, m * n, 0, 1, key);  // (m, n)
  for (int64_t i = 0; i < m; ++i)
    for (int64_t j = 0; j < n; ++j) *a.at(j, i) = static_cast<double>(values[i * n + j]);
  factorize(a, signs);
  form(a, signs, q);
  const int64_t row = rows < columns ? 1 : n, column = rows < columns ? m : 1;  // strides of values
  for (int64_t i = 0; i < m; ++i)
    for (int64_t j = 0; j < n; ++j) values[i * row + j * column] = static_cast<float>(gain * *q.at(j, i));
}

}  // namespace downhill
