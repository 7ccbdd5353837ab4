// Blocks of 256 threads over a matrix of rows: as many threads side by side as a row has columns (at most 256, a power
// of two), the rest of the block on further rows.
#pragma once
#include "backend/cuda/device/offsets.cuh"

namespace downhill::cuda {

struct RowTiles {
  int64_t rows, columns;
  unsigned shift = 0;  // 2^shift threads along a row

  RowTiles(int64_t rows, int64_t columns) : rows(rows), columns(columns) {
    while (shift < 8 && (int64_t{1} << shift) < columns) ++shift;
  }
  /// x: rows; y: stretches of columns, as far as a grid has them.
  dim3 blocks() const {
    constexpr int64_t kMostStretches = 65535;
    const int64_t stretches = blocks_for(columns, int64_t{1} << shift);
    return dim3(static_cast<unsigned>(blocks_for(rows, kBlockThreads >> shift)),
                static_cast<unsigned>(stretches < kMostStretches ? stretches : kMostStretches));
  }
  __device__ int64_t row() const { return int64_t{blockIdx.x} * (kBlockThreads >> shift) + (threadIdx.x >> shift); }
  /// body(column) for this thread's columns.
  template <typename Body>
  __device__ __forceinline__ void columns_of(Body&& body) const {
    const int64_t first = (int64_t{blockIdx.y} << shift) + (threadIdx.x & ((1u << shift) - 1u));
    for (int64_t column = first; column < columns; column += int64_t{gridDim.y} << shift) body(column);
  }
};

/// Rows (outer, count) as pieces of at most 2^31: visit(first of outer, outer, first of count, count).
template <typename Visit>
void for_row_pieces(int64_t outer, int64_t count, Visit&& visit, int64_t limit = kNarrow) {
  if (outer == 0 || count == 0) return;
  const int64_t width = count < limit ? count : limit, height = limit / width;
  for (int64_t o = 0; o < outer; o += height)
    for (int64_t i = 0; i < count; i += width)
      visit(o, outer - o < height ? outer - o : height, i, count - i < width ? count - i : width);
}

}  // namespace downhill::cuda
