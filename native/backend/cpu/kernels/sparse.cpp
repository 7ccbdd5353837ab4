// Products with sparse rows.
#include "backend/cpu/kernels/ahead.h"
#include "backend/cpu/kernels/entries.h"
#include "core/philox.h"
#include "ops/noise.h"

namespace downhill::cpu::DH_ISA {

namespace {

constexpr int kFew = 16;   // columns of b whose sums fit registers in every instruction set
constexpr int kMany = 64;  // in wide registers
constexpr int64_t kLong = 256;

/// y[r, 0 … N) = Σ over the values of row r; four sums side by side where N is small, value k in sum k mod 4.
template <int N>
void product_of(const SparseRows& a, const float* b, float* y, int64_t n, int64_t begin, int64_t end) {
  constexpr int kSums = N <= kFew ? 4 : 1;
  const int32_t* const indices = a.indices;
  const float* const values = a.values;
  for (int64_t r = begin; r < end; ++r) {
    float sum[kSums][N] = {};
    int64_t k = a.indptr[r];
    const int64_t stop = a.indptr[r + 1];
    for (; k + kSums <= stop; k += kSums) {
      if constexpr (kSums > 1) {
        fetch_line_ahead(indices + k);
        fetch_line_ahead(values + k);
      }
      for (int j = 0; j < kSums; ++j) {
        const float value = values[k + j];
        const float* const from = b + indices[k + j] * n;
        for (int u = 0; u < N; ++u) sum[j][u] += value * from[u];
      }
    }
    for (; k < stop; ++k)
      for (int u = 0; u < N; ++u) sum[0][u] += values[k] * b[indices[k] * n + u];
    for (int u = 0; u < N; ++u)
      y[r * n + u] = kSums == 4 ? (sum[0][u] + sum[1 % kSums][u]) + (sum[2 % kSums][u] + sum[3 % kSums][u]) : sum[0][u];
  }
}

/// The first value of row r in a column from `column` on.
int64_t first_from(const SparseRows& a, int64_t r, int64_t column) {
  int64_t low = a.indptr[r], high = a.indptr[r + 1];
  while (low < high) {
    const int64_t middle = (low + high) / 2;
    if (a.indices[middle] < column)
      low = middle + 1;
    else
      high = middle;
  }
  return low;
}

/// y[c, :] += value · b[r, :], row by row; b has N columns.
template <int N>
void transposed_of(const SparseRows& a, const float* b, float* y, int64_t, int64_t begin, int64_t end) {
  const int32_t* const indices = a.indices;
  const float* const values = a.values;
  for (int64_t r = 0; r < a.rows; ++r) {
    const int64_t stop = a.indptr[r + 1];
    float row[N];
    for (int u = 0; u < N; ++u) row[u] = b[r * N + u];
    for (int64_t k = first_from(a, r, begin); k < stop && indices[k] < end; ++k) {
      float* const to = y + int64_t{indices[k]} * N;
      const float value = values[k];
      float sum[N];
      for (int u = 0; u < N; ++u) sum[u] = to[u] + value * row[u];
      for (int u = 0; u < N; ++u) to[u] = sum[u];
    }
  }
}

/// The same for any number of columns.
void transposed_of_many(const SparseRows& a, const float* b, float* y, int64_t n, int64_t begin, int64_t end) {
  for (int64_t r = 0; r < a.rows; ++r) {
    const int64_t stop = a.indptr[r + 1];
    for (int64_t k = first_from(a, r, begin); k < stop && a.indices[k] < end; ++k) {
      const float* const from = b + r * n;
      float* const to = y + a.indices[k] * n;
      const float value = a.values[k];
#pragma GCC ivdep
      for (int64_t u = 0; u < n; ++u) to[u] += value * from[u];
    }
  }
}

using Product = void (*)(const SparseRows&, const float*, float*, int64_t, int64_t, int64_t);
/// By columns of b.
constexpr Product kProducts[kFew + 1] = {nullptr,        product_of<1>,  product_of<2>,  product_of<3>,  product_of<4>,
                                         product_of<5>,  product_of<6>,  product_of<7>,  product_of<8>,  product_of<9>,
                                         product_of<10>, product_of<11>, product_of<12>, product_of<13>, product_of<14>,
                                         product_of<15>, product_of<16>};
constexpr Product kTransposed[] = {transposed_of_many, transposed_of<1>, transposed_of<2>,
                                   transposed_of<3>,   transposed_of<4>, transposed_of<5>,
                                   transposed_of<6>,   transposed_of<7>, transposed_of<8>};
constexpr int64_t kMostTransposed = static_cast<int64_t>(sizeof kTransposed / sizeof kTransposed[0]);

/// The same for long rows of b, which are read whole, four at a time: a part of many rows is a page each. The order of
/// the sums is that of product_of<kMany>.
void product_of_long(const SparseRows& a, const float* b, float* y, int64_t n, int64_t begin, int64_t end) {
  for (int64_t r = begin; r < end; ++r) {
    float* const to = y + r * n;
    __builtin_memset(to, 0, static_cast<size_t>(n) * sizeof(float));
    int64_t k = a.indptr[r];
    const int64_t stop = a.indptr[r + 1];
    for (; k + 4 <= stop; k += 4) {
      const float* from[4];
      float value[4];
      for (int j = 0; j < 4; ++j) {
        from[j] = b + a.indices[k + j] * n;
        value[j] = a.values[k + j];
      }
#pragma GCC ivdep
      for (int64_t u = 0; u < n; ++u) {
        float sum = to[u];
        for (int j = 0; j < 4; ++j) sum += value[j] * from[j][u];
        to[u] = sum;
      }
    }
    for (; k < stop; ++k) {
      const float* const from = b + a.indices[k] * n;
      const float value = a.values[k];
#pragma GCC ivdep
      for (int64_t u = 0; u < n; ++u) to[u] += value * from[u];
    }
  }
}

void product(const SparseRows& a, const float* b, float* y, int64_t n, int64_t begin, int64_t end) {
  if (n >= kLong) return product_of_long(a, b, y, n, begin, end);
  int64_t u = 0;
  for (; u + kMany <= n; u += kMany) product_of<kMany>(a, b + u, y + u, n, begin, end);
  for (; u + kFew <= n; u += kFew) product_of<kFew>(a, b + u, y + u, n, begin, end);
  if (u < n) kProducts[n - u](a, b + u, y + u, n, begin, end);
}

void add_transposed(const SparseRows& a, const float* b, float* y, int64_t n, int64_t begin, int64_t end) {
  if (begin < end && n > 0) kTransposed[n < kMostTransposed ? n : 0](a, b, y, n, begin, end);
}

void transposed(const SparseRows& a, const float* b, float* y, int64_t n, int64_t begin, int64_t end) {
  if (begin >= end || n == 0) return;
  __builtin_memset(y + begin * n, 0, static_cast<size_t>((end - begin) * n) * sizeof(float));
  add_transposed(a, b, y, n, begin, end);
}

void dots(const SparseRows& a, const float* left, const float* right, float* y, int64_t n, int64_t begin, int64_t end) {
  constexpr int kSums = 16;
  for (int64_t r = begin; r < end; ++r)
    for (int64_t k = a.indptr[r]; k < a.indptr[r + 1]; ++k) {
      const float *const x = left + r * n, *const z = right + a.indices[k] * n;
      float sum[kSums] = {};
      int64_t u = 0;
      for (; u + kSums <= n; u += kSums)
        for (int j = 0; j < kSums; ++j) sum[j] += x[u + j] * z[u + j];
      for (; u < n; ++u) sum[u % kSums] += x[u] * z[u];
      for (int width = kSums / 2; width > 0; width /= 2)
        for (int j = 0; j < width; ++j) sum[j] += sum[j + width];
      y[k] = sum[0];
    }
}

void dropout(const SparseRows& a, float* y, float rate, uint64_t key, uint64_t step, int64_t begin, int64_t end) {
  constexpr int64_t kBlock = 64;
  const downhill::DH_ISA::Dropout f(rate);
  for (int64_t r = begin; r < end; ++r) {
    const uint64_t first = static_cast<uint64_t>(r * a.columns);
    for (int64_t at = a.indptr[r]; at < a.indptr[r + 1]; at += kBlock) {
      const int64_t count = a.indptr[r + 1] - at < kBlock ? a.indptr[r + 1] - at : kBlock;
      float random[kBlock];
#pragma GCC ivdep
      for (int64_t i = 0; i < count; ++i) {
        const uint64_t element = first + static_cast<uint64_t>(a.indices[at + i]);
        const downhill::DH_ISA::Philox4 r4 = downhill::DH_ISA::philox(key, step, element / 4);
        const uint32_t lane = static_cast<uint32_t>(element) % 4;
        const uint32_t low = lane % 2 ? r4.v[1] : r4.v[0], high = lane % 2 ? r4.v[3] : r4.v[2];
        random[i] = downhill::DH_ISA::uniform(lane < 2 ? low : high);
      }
#pragma GCC ivdep
      for (int64_t i = 0; i < count; ++i) y[at + i] = f(a.values[at + i], random[i]);
    }
  }
}

int64_t first_wrong(const SparseRows& a, int64_t count) {
  int64_t before = 0;
  for (int64_t r = 0; r <= a.rows; ++r) {
    if (a.indptr[r] < before || a.indptr[r] > count) return count + r;
    before = a.indptr[r];
  }
  for (int64_t r = 0; r < a.rows; ++r) {
    const int64_t begin = a.indptr[r], end = a.indptr[r + 1];
    if (begin == end) continue;
    int32_t descents = 0;
    for (int64_t k = begin + 1; k < end; ++k) descents |= a.indices[k] < a.indices[k - 1];
    if (!descents && a.indices[begin] >= 0 && a.indices[end - 1] < a.columns) continue;
    for (int64_t k = begin; k < end; ++k)
      if (a.indices[k] < (k > begin ? a.indices[k - 1] : 0) || a.indices[k] >= a.columns) return k;
  }
  return -1;
}

}  // namespace

void fill_sparse(SparseKernels& table) { table = {first_wrong, product, transposed, add_transposed, dots, dropout}; }

}  // namespace downhill::cpu::DH_ISA
