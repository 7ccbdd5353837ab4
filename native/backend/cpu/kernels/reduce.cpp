// Sums, extremes and argmax over rows or columns. NaN wins in max, min and argmax.
#include "backend/cpu/kernels/entries.h"
#include "backend/cpu/kernels/lanes.h"

namespace downhill::cpu::DH_ISA {

namespace {

template <typename R>
void rows(const void* x, void* y, int64_t rows, int64_t n) {
  using T = typename R::Type;
  for (int64_t r = 0; r < rows; ++r)
    static_cast<T*>(y)[r] = reduce_row<R>(static_cast<const T*>(x) + r * n, n, (rows - r) * n);
}

// A row in parts, in the order of reduce_row: the accumulators lie in memory in between.
template <typename R>
void row_begin(void* accumulators) {
  Accumulators<R>::empty().store(static_cast<typename R::Type*>(accumulators));
}

template <typename R>
void row_part(const void* from, int64_t n, void* accumulators) {
  using T = typename R::Type;
  const T* x = static_cast<const T*>(from);
  auto four = Accumulators<R>::load(static_cast<const T*>(accumulators));
  for (int64_t i = 0; i + 64 <= n; i += 64) four.add(x + i);
  four.store(static_cast<T*>(accumulators));
}

template <typename R>
void row_end(const void* from, int64_t n, const void* accumulators, void* y) {
  using T = typename R::Type;
  const T* x = static_cast<const T*>(from);
  auto four = Accumulators<R>::load(static_cast<const T*>(accumulators));
  int64_t i = 0;
  for (; i + 64 <= n; i += 64) four.add(x + i);
  *static_cast<T*>(y) = reduce_rest<R>(four.combined(), x + i, n - i, n - i);
}

/// Four times sixteen columns in registers while the rows go by; the last few columns one by one.
template <typename R>
void columns(const void* from, int64_t stride, void* to, int64_t n, int64_t columns) {
  using T = typename R::Type;
  using L = Lanes<T>;
  const T* x = static_cast<const T*>(from);
  T* y = static_cast<T*>(to);
  int64_t j = 0;
  for (; j + 64 <= columns; j += 64) {
    L a = L::fill(R::kIdentity), b = a, c = a, d = a;
    for (int64_t r = 0; r < n; ++r) {
      const T* row = x + r * stride + j;
      a = combine<R>(a, L::load(row));
      b = combine<R>(b, L::load(row + 16));
      c = combine<R>(c, L::load(row + 32));
      d = combine<R>(d, L::load(row + 48));
    }
    a.store(y + j), b.store(y + j + 16), c.store(y + j + 32), d.store(y + j + 48);
  }
  for (; j + 16 <= columns; j += 16) {
    L a = L::fill(R::kIdentity);
    for (int64_t r = 0; r < n; ++r) a = combine<R>(a, L::load(x + r * stride + j));
    a.store(y + j);
  }
  for (; j < columns; ++j) {
    T a = R::kIdentity;
    for (int64_t r = 0; r < n; ++r) a = R::template apply<T>(a, x[r * stride + j]);
    y[j] = a;
  }
}

/// The first element equal to the maximum, or the first NaN.
template <typename T>
void argmax_rows(const void* from, int32_t* y, int64_t rows, int64_t n) {
  for (int64_t r = 0; r < rows; ++r) {
    const T* x = static_cast<const T*>(from) + r * n;
    const T best = reduce_row<MaxOf<T>>(x, n, (rows - r) * n);
    int64_t i = 0;
    if (best == best)
      while (x[i] != best) ++i;
    else
      while (x[i] == x[i]) ++i;
    y[r] = static_cast<int32_t>(i);
  }
}

template <typename T>
void argmax_columns(const void* from, int64_t stride, int32_t* y, int64_t n, int64_t columns) {
  constexpr int64_t kTile = 64;
  const T* x = static_cast<const T*>(from);
  T best[kTile];
  for (int64_t begin = 0; begin < columns; begin += kTile) {
    const int64_t width = columns - begin < kTile ? columns - begin : kTile;
    int32_t* where = y + begin;
    for (int64_t j = 0; j < width; ++j) best[j] = x[begin + j], where[j] = 0;
    for (int64_t r = 1; r < n; ++r) {
      const T* row = x + r * stride + begin;
#pragma GCC ivdep
      for (int64_t j = 0; j < width; ++j) {
        const bool better = (row[j] > best[j]) | ((row[j] != row[j]) & (best[j] == best[j]));
        best[j] = better ? row[j] : best[j];
        where[j] = better ? static_cast<int32_t>(r) : where[j];
      }
    }
  }
}

template <template <typename> class R, typename Int>
void fill(ReduceKernels& table, Reduction reduction) {
  const int i = static_cast<int>(reduction);
  table.rows[i][0] = rows<R<float>>, table.rows[i][1] = rows<R<Int>>;
  table.columns[i][0] = columns<R<float>>, table.columns[i][1] = columns<R<Int>>;
  table.parts[i][0] = {row_begin<R<float>>, row_part<R<float>>, row_end<R<float>>};
  table.parts[i][1] = {row_begin<R<Int>>, row_part<R<Int>>, row_end<R<Int>>};
}

}  // namespace

void fill_reduce(ReduceKernels& table) {
  fill<SumOf, uint32_t>(table, Reduction::sum);
  fill<MaxOf, int32_t>(table, Reduction::max);
  fill<MinOf, int32_t>(table, Reduction::min);
  table.argmax_rows[0] = argmax_rows<float>, table.argmax_rows[1] = argmax_rows<int32_t>;
  table.argmax_columns[0] = argmax_columns<float>, table.argmax_columns[1] = argmax_columns<int32_t>;
}

}  // namespace downhill::cpu::DH_ISA
