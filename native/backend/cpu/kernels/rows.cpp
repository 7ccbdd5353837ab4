// Softmax and its relatives over rows. The largest element of a row is subtracted before the exponential, so nothing overflows;
// rows of -inf alone give NaN (logSumExp: -inf), as in PyTorch. Short rows share the vectors of one exponential loop.
#include "backend/cpu/kernels/entries.h"
#include "backend/cpu/kernels/lanes.h"
#include "core/math.h"

namespace downhill::cpu::DH_ISA {

namespace {

namespace math = downhill::DH_ISA::math;

constexpr int64_t kBlock = 512;  // elements of a buffer on the stack
constexpr int64_t kRows = 64;    // rows handled together at most

int64_t least(int64_t a, int64_t b) { return a < b ? a : b; }
/// Rows handled together: as many as fill a block, at least one.
int64_t rows_together(int64_t n) { return n >= kBlock ? 1 : n <= kBlock / kRows ? kRows : kBlock / n; }

float sum(const float* x, int64_t n) { return reduce_row<SumOf<float>>(x, n); }

void exp_in_place(float* x, int64_t n) {
#pragma GCC ivdep
  for (int64_t i = 0; i < n; ++i) x[i] = math::exp(x[i]);
}

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

/// y = exp(x - max of the row), unscaled, for rows that lie together.
void shifted_exp(const float* x, float* y, int64_t rows, int64_t n) {
  for (int64_t r = 0; r < rows; ++r) {
    const float *from = x + r * n, top = reduce_row<MaxOf<float>>(from, n);
    float* to = y + r * n;
#pragma GCC ivdep
    for (int64_t j = 0; j < n; ++j) to[j] = from[j] - top;
  }
  exp_in_place(y, rows * n);
}

/// The largest element of each of at most kRows rows, and the sum of exp(x - largest).
void statistics(const float* x, int64_t rows, int64_t n, float* top, float* total) {
  for (int64_t r = 0; r < rows; ++r) top[r] = reduce_row<MaxOf<float>>(x + r * n, n);
  if (rows * n > kBlock) {
    for (int64_t r = 0; r < rows; ++r) {
      const float *from = x + r * n, shift = top[r];
      total[r] = sum_of(n, [=](int64_t i) { return math::exp(from[i] - shift); });
    }
    return;
  }
  float buffer[kBlock];
  for (int64_t r = 0; r < rows; ++r) {
#pragma GCC ivdep
    for (int64_t j = 0; j < n; ++j) buffer[r * n + j] = x[r * n + j] - top[r];
  }
  exp_in_place(buffer, rows * n);
  for (int64_t r = 0; r < rows; ++r) total[r] = sum(buffer + r * n, n);
}

/// Calls f(first row, rows, largest elements, logarithms of the sums) for rows together.
template <typename F>
void for_each_block(const float* x, int64_t rows, int64_t n, F f) {
  float top[kRows], total[kRows];
  const int64_t step = rows_together(n);
  for (int64_t begin = 0; begin < rows; begin += step) {
    const int64_t count = least(step, rows - begin);
    statistics(x + begin * n, count, n, top, total);
    for (int64_t r = 0; r < count; ++r) total[r] = math::log(total[r]);
    f(begin, count, top, total);
  }
}

void softmax(const float* x, float* y, int64_t rows, int64_t n) {
  const int64_t step = rows_together(n);
  for (int64_t begin = 0; begin < rows; begin += step) {
    const int64_t count = least(step, rows - begin);
    shifted_exp(x + begin * n, y + begin * n, count, n);
    for (int64_t r = begin; r < begin + count; ++r) {
      float* row = y + r * n;
      const float scale = 1.0f / sum(row, n);
#pragma GCC ivdep
      for (int64_t j = 0; j < n; ++j) row[j] *= scale;
    }
  }
}

void log_softmax(const float* x, float* y, int64_t rows, int64_t n) {
  for_each_block(x, rows, n, [=](int64_t begin, int64_t count, const float* top, const float* log_total) {
    for (int64_t r = 0; r < count; ++r) {
      const float *from = x + (begin + r) * n, a = top[r], b = log_total[r];
      float* to = y + (begin + r) * n;
#pragma GCC ivdep
      for (int64_t j = 0; j < n; ++j) to[j] = (from[j] - a) - b;
    }
  });
}

void log_sum_exp(const float* x, float* y, int64_t rows, int64_t n) {
  for_each_block(x, rows, n, [=](int64_t begin, int64_t count, const float* top, const float* log_total) {
    for (int64_t r = 0; r < count; ++r) y[begin + r] = math::abs(top[r]) == math::kInf ? top[r] : top[r] + log_total[r];
  });
}

void softmax_grad(const float* y, const float* d_y, float* d_x, int64_t rows, int64_t n) {
  for (int64_t r = 0; r < rows; ++r) {
    const float *a = y + r * n, *d = d_y + r * n;
    float* to = d_x + r * n;
    const float dot = sum_of(n, [=](int64_t i) { return a[i] * d[i]; });
#pragma GCC ivdep
    for (int64_t j = 0; j < n; ++j) to[j] = a[j] * (d[j] - dot);
  }
}

void log_softmax_grad(const float* y, const float* d_y, float* d_x, int64_t rows, int64_t n) {
  for (int64_t r = 0; r < rows; ++r) {
    const float *a = y + r * n, *d = d_y + r * n;
    float* to = d_x + r * n;
    const float total = sum(d, n);
#pragma GCC ivdep
    for (int64_t j = 0; j < n; ++j) to[j] = d[j] - math::exp(a[j]) * total;
  }
}

/// -Σ t log p with log p = x - largest - log Σ exp(…); a target of 0 counts nothing, whatever the logit.
void cross_entropy(const float* x, const float* targets, float* y, int64_t rows, int64_t n) {
  for_each_block(x, rows, n, [=](int64_t begin, int64_t count, const float* top, const float* log_total) {
    for (int64_t r = 0; r < count; ++r) {
      const float *z = x + (begin + r) * n, *t = targets + (begin + r) * n, shift = top[r];
      const float weight = sum(t, n);
      y[begin + r] = weight * log_total[r] - sum_of(n, [=](int64_t i) { return t[i] == 0.0f ? 0.0f : t[i] * (z[i] - shift); });
    }
  });
}

/// d_x = d_y · (softmax(x) · Σ t - t)
void cross_entropy_grad(const float* x, const float* targets, const float* d_y, float* d_x, int64_t rows, int64_t n) {
  const int64_t step = rows_together(n);
  for (int64_t begin = 0; begin < rows; begin += step) {
    const int64_t count = least(step, rows - begin);
    shifted_exp(x + begin * n, d_x + begin * n, count, n);
    for (int64_t r = begin; r < begin + count; ++r) {
      float* row = d_x + r * n;
      const float *t = targets + r * n, d = d_y[r];
      const float scale = sum(t, n) / sum(row, n);
#pragma GCC ivdep
      for (int64_t j = 0; j < n; ++j) row[j] = d * (row[j] * scale - t[j]);
    }
  }
}

void sparse_cross_entropy(const float* x, const int32_t* labels, float* y, int64_t rows, int64_t n) {
  for_each_block(x, rows, n, [=](int64_t begin, int64_t count, const float* top, const float* log_total) {
    for (int64_t r = 0; r < count; ++r) y[begin + r] = log_total[r] - (x[(begin + r) * n + labels[begin + r]] - top[r]);
  });
}

/// d_x = d_y · (softmax(x) - 1 at the label)
void sparse_cross_entropy_grad(const float* x, const int32_t* labels, const float* d_y, float* d_x, int64_t rows, int64_t n) {
  const int64_t step = rows_together(n);
  for (int64_t begin = 0; begin < rows; begin += step) {
    const int64_t count = least(step, rows - begin);
    shifted_exp(x + begin * n, d_x + begin * n, count, n);
    for (int64_t r = begin; r < begin + count; ++r) {
      float* row = d_x + r * n;
      const float d = d_y[r], scale = 1.0f / sum(row, n), at_label = d * (row[labels[r]] * scale - 1.0f);
#pragma GCC ivdep
      for (int64_t j = 0; j < n; ++j) row[j] = d * (row[j] * scale);
      row[labels[r]] = at_label;
    }
  }
}

}  // namespace

void fill_rows(RowKernels& table) {
  table = {softmax,       log_softmax,        log_sum_exp,          softmax_grad,             log_softmax_grad,
           cross_entropy, cross_entropy_grad, sparse_cross_entropy, sparse_cross_entropy_grad};
}

}  // namespace downhill::cpu::DH_ISA
