// Softmax and its relatives over rows. The largest element of a row is subtracted before the exponential, so nothing
// overflows; rows of -inf alone give NaN (logSumExp: -inf), as in PyTorch. Short rows are in rows_short.h.
#include "ops/rows.h"
#include "backend/cpu/kernels/entries.h"
#include "backend/cpu/kernels/lanes.h"
#include "backend/cpu/kernels/rows_short.h"
#include "core/math.h"

namespace downhill::cpu::DH_ISA {

namespace {

namespace math = downhill::DH_ISA::math;

constexpr int64_t kBlock = 512;  // elements of a buffer on the stack
int64_t least(int64_t a, int64_t b) { return a < b ? a : b; }

float sum(const float* x, int64_t n) { return reduce_row<SumOf<float>>(x, n); }

/// Sum of f(i) for i in [0, n), a block at a time.
template <typename F>
float sum_of(int64_t n, F f) {
  float buffer[kBlock], total = 0;
  for (int64_t begin = 0; begin < n; begin += kBlock) {
    const int64_t count = least(kBlock, n - begin);
#pragma GCC ivdep
    for (int64_t i = 0; i < count; ++i) buffer[i] = f(begin + i);
    total += sum(buffer, count);
  }
  return total;
}

float largest(const float* x, int64_t n) { return reduce_row<MaxOf<float>>(x, n); }

/// y = exp(x - largest); returns the sum.
float shifted_exp(const float* x, float* y, int64_t n) {
  const float top = largest(x, n);
#pragma GCC ivdep
  for (int64_t j = 0; j < n; ++j) y[j] = row::shifted_exp(x[j], top);
  return sum(y, n);
}

/// log Σ exp(x - top)
float log_total(const float* x, float top, int64_t n) {
  return math::log(sum_of(n, [=](int64_t i) { return row::shifted_exp(x[i], top); }));
}

void softmax(const float* x, float* y, int64_t rows, int64_t n) {
  if (n <= kShort) return short_softmax(x, y, rows, n);
  for (int64_t r = 0; r < rows; ++r) {
    float* row = y + r * n;
    const float scale = 1.0f / shifted_exp(x + r * n, row, n);
#pragma GCC ivdep
    for (int64_t j = 0; j < n; ++j) row[j] *= scale;
  }
}

void log_softmax(const float* x, float* y, int64_t rows, int64_t n) {
  if (n <= kShort) return short_log_softmax(x, y, rows, n);
  for (int64_t r = 0; r < rows; ++r) {
    const float *from = x + r * n, top = largest(from, n), log_sum = log_total(from, top, n);
    float* to = y + r * n;
#pragma GCC ivdep
    for (int64_t j = 0; j < n; ++j) to[j] = row::log_softmax(from[j], top, log_sum);
  }
}

void log_sum_exp(const float* x, float* y, int64_t rows, int64_t n) {
  if (n <= kShort) return short_log_sum_exp(x, y, rows, n);
  for (int64_t r = 0; r < rows; ++r) {
    const float top = largest(x + r * n, n);
    y[r] = math::abs(top) == math::kInf ? top : row::log_sum_exp(top, log_total(x + r * n, top, n));
  }
}

void softmax_grad(const float* y, const float* d_y, float* d_x, int64_t rows, int64_t n) {
  for (int64_t r = 0; r < rows; ++r) {
    const float *a = y + r * n, *d = d_y + r * n;
    float* to = d_x + r * n;
    const float dot = sum_of(n, [=](int64_t i) { return a[i] * d[i]; });
#pragma GCC ivdep
    for (int64_t j = 0; j < n; ++j) to[j] = row::softmax_grad(a[j], d[j], dot);
  }
}

void log_softmax_grad(const float* y, const float* d_y, float* d_x, int64_t rows, int64_t n) {
  for (int64_t r = 0; r < rows; ++r) {
    const float *a = y + r * n, *d = d_y + r * n;
    float* to = d_x + r * n;
    const float total = sum(d, n);
#pragma GCC ivdep
    for (int64_t j = 0; j < n; ++j) to[j] = row::log_softmax_grad(a[j], d[j], total);
  }
}

/// -Σ t log p with log p = x - largest - log Σ exp(…); a target of 0 counts nothing, whatever the logit.
void cross_entropy(const float* x, const float* targets, float* y, int64_t rows, int64_t n) {
  if (n <= kShort) return short_cross_entropy(x, targets, y, rows, n);
  for (int64_t r = 0; r < rows; ++r) {
    const float *z = x + r * n, *t = targets + r * n, top = largest(z, n);
    y[r] = row::cross_entropy(sum(t, n), log_total(z, top, n),
                              sum_of(n, [=](int64_t i) { return row::cross_entropy_term(z[i], t[i], top); }));
  }
}

/// d_x = d_y · (softmax(x) · Σ t - t)
void cross_entropy_grad(const float* x, const float* targets, const float* d_y, float* d_x, int64_t rows, int64_t n) {
  if (n <= kShort) return short_cross_entropy_grad(x, targets, d_y, d_x, rows, n);
  for (int64_t r = 0; r < rows; ++r) {
    float* row = d_x + r * n;
    const float *t = targets + r * n, d = d_y[r], weight = sum(t, n), scale = weight / shifted_exp(x + r * n, row, n);
#pragma GCC ivdep
    for (int64_t j = 0; j < n; ++j) row[j] = row::cross_entropy_grad(row[j], scale, t[j], d);
  }
}

void sparse_cross_entropy(const float* x, const int32_t* labels, float* y, int64_t rows, int64_t n) {
  if (n <= kShort) return short_sparse_cross_entropy(x, labels, y, rows, n);
  for (int64_t r = 0; r < rows; ++r) {
    const float *z = x + r * n, top = largest(z, n);
    y[r] = row::sparse_cross_entropy(z[labels[r]], top, log_total(z, top, n));
  }
}

/// d_x = d_y · (softmax(x) - 1 at the label)
void sparse_cross_entropy_grad(const float* x, const int32_t* labels, const float* d_y, float* d_x, int64_t rows,
                               int64_t n) {
  if (n <= kShort) return short_sparse_cross_entropy_grad(x, labels, d_y, d_x, rows, n);
  for (int64_t r = 0; r < rows; ++r) {
    float* row = d_x + r * n;
    const float d = d_y[r], scale = 1.0f / shifted_exp(x + r * n, row, n),
                at_label = row::cross_entropy_grad(row[labels[r]], scale, 1.0f, d);
#pragma GCC ivdep
    for (int64_t j = 0; j < n; ++j) row[j] = d * (row[j] * scale);
    row[labels[r]] = at_label;
  }
}

}  // namespace

void fill_rows(RowKernels& table) {
  table = {softmax,
           log_softmax,
           log_sum_exp,
           softmax_grad,
           log_softmax_grad,
           cross_entropy,
           cross_entropy_grad,
           sparse_cross_entropy,
           sparse_cross_entropy_grad};
}

}  // namespace downhill::cpu::DH_ISA
