// Moving and converting elements.
#include "ops/movement.h"
#include "backend/cpu/kernels/entries.h"

namespace downhill::cpu::DH_ISA {

namespace {

int64_t least(int64_t a, int64_t b) { return a < b ? a : b; }

/// Both sides in tiles that stay in the first cache: reads run down columns, writes along rows.
void transpose(const uint32_t* from, int64_t from_row, uint32_t* to, int64_t to_row, int64_t rows, int64_t columns) {
  constexpr int64_t kTile = 16;
  for (int64_t r = 0; r < rows; r += kTile)
    for (int64_t c = 0; c < columns; c += kTile) {
      const int64_t r_end = least(r + kTile, rows), c_end = least(c + kTile, columns);
      for (int64_t i = r; i < r_end; ++i)
        for (int64_t j = c; j < c_end; ++j) to[i * to_row + j] = from[j * from_row + i];
    }
}

void copy(const void* source, const int64_t* from_stride, void* target, const int64_t* to_stride, const int64_t* n) {
  const uint32_t* from = static_cast<const uint32_t*>(source);
  uint32_t* to = static_cast<uint32_t*>(target);
  if (from_stride[0] == 1 && to_stride[1] == 1 && from_stride[1] > 1)
    return transpose(from, from_stride[1], to, to_stride[0], n[0], n[1]);
  for (int64_t i = 0; i < n[0]; ++i) {
    const uint32_t* a = from + i * from_stride[0];
    uint32_t* b = to + i * to_stride[0];
    if (from_stride[1] == 1 && to_stride[1] == 1) {
      __builtin_memcpy(b, a, static_cast<size_t>(n[1]) * 4);
    } else if (from_stride[1] == 0 && to_stride[1] == 1) {
      const uint32_t value = *a;
      for (int64_t j = 0; j < n[1]; ++j) b[j] = value;
    } else {
      for (int64_t j = 0; j < n[1]; ++j) b[j * to_stride[1]] = a[j * from_stride[1]];
    }
  }
}

void to_int(const float* x, int32_t* y, int64_t n) {
  const downhill::DH_ISA::ToInt32 f;
  for (int64_t i = 0; i < n; ++i) y[i] = f(x[i]);
}

void to_float(const int32_t* x, float* y, int64_t n) {
  const downhill::DH_ISA::ToFloat32 f;
#pragma GCC ivdep
  for (int64_t i = 0; i < n; ++i) y[i] = f(x[i]);
}

int64_t first_outside(const int32_t* indices, int64_t n, int64_t limit) {
  const uint32_t end = static_cast<uint32_t>(least(limit, int64_t{1} << 31));
  for (int64_t begin = 0; begin < n; begin += 1024) {
    const int64_t stop = least(begin + 1024, n);
    uint32_t outside = 0;
    for (int64_t i = begin; i < stop; ++i) outside |= static_cast<uint32_t>(indices[i]) >= end;
    if (!outside) continue;
    for (int64_t i = begin; i < stop; ++i)
      if (static_cast<uint32_t>(indices[i]) >= end) return i;
  }
  return n;
}

void gather(const void* source, const int32_t* indices, void* target, int64_t n, int64_t width) {
  const uint32_t* from = static_cast<const uint32_t*>(source);
  uint32_t* to = static_cast<uint32_t*>(target);
  if (width == 1) {
    for (int64_t i = 0; i < n; ++i) to[i] = from[indices[i]];
    return;
  }
  for (int64_t i = 0; i < n; ++i)
    __builtin_memcpy(to + i * width, from + indices[i] * width, static_cast<size_t>(width) * 4);
}

template <typename T>
void scatter_add(const void* source, const int32_t* indices, void* target, int64_t n, int64_t width, int64_t columns) {
  for (int64_t i = 0; i < n; ++i) {
    const T* from = static_cast<const T*>(source) + i * width;
    T* to = static_cast<T*>(target) + indices[i] * width;
#pragma GCC ivdep
    for (int64_t j = 0; j < columns; ++j) to[j] += from[j];
  }
}

void scatter_add_between(const float* x, const int32_t* indices, float* y, int64_t n, int64_t width, int64_t begin,
                         int64_t end) {
  constexpr int64_t kBlock = 256;
  for (int64_t at = 0; at < n; at += kBlock) {
    const int64_t count = least(kBlock, n - at);
    int32_t chosen[kBlock];
    int64_t found = 0;
    for (int64_t i = 0; i < count; ++i) {  // without a branch that depends on the indices
      chosen[found] = static_cast<int32_t>(i);
      found += indices[at + i] >= begin && indices[at + i] < end;
    }
    for (int64_t k = 0; k < found; ++k) {
      const int64_t i = at + chosen[k];
      const float* const from = x + i * width;
      float* const to = y + indices[i] * width;
#pragma GCC ivdep
      for (int64_t j = 0; j < width; ++j) to[j] += from[j];
    }
  }
}

void one_hot(const int32_t* labels, float* y, int64_t n, int64_t depth) {
  __builtin_memset(y, 0, static_cast<size_t>(n * depth) * sizeof(float));
  for (int64_t i = 0; i < n; ++i) y[i * depth + labels[i]] = 1.0f;
}

}  // namespace

void fill_movement(MovementKernels& table) {
  table = {
      copy,   to_int, to_float, first_outside, gather, {scatter_add<float>, scatter_add<uint32_t>}, scatter_add_between,
      one_hot};
}

}  // namespace downhill::cpu::DH_ISA
