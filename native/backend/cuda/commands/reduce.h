// Commands of this family; made by host/lower/reduce.cpp, launched by kernels/reduce.cu. Long reductions are cut into
// pieces, and a second command reduces the pieces: how follows from shapes alone, so results are the same on every
// device.
#pragma once
#include <cstdint>

#include "core/dtype.h"
#include "core/host_device.h"

namespace downhill::cuda {

enum class Reduction : uint8_t { sum, max, min };

/// y[o, k, i] = reduction of x[o, j, i] over the j of piece k: [k · piece, (k + 1) · piece) within [0, n)
struct ReduceArgs {
  const void* x;  // (outer, n, inner)
  void* y;        // (outer, pieces, inner)
  int64_t outer, n, inner, piece;
  Reduction reduction;
  DType dtype;
};

/// y[o, k, i] = position in [0, n) of the first of the largest among the candidates of piece k
struct ArgmaxArgs {
  const void* x;                          // (outer, n, inner)
  const int32_t* candidates;              // (outer, count, inner) positions in [0, n); null: all of them, count = n
  int32_t* y;                             // (outer, pieces, inner)
  int64_t outer, n, inner, count, piece;  // pieces of count
  DType dtype;
};

/// Pieces of n; one when n is 0. piece > 0
DH_HOST_DEVICE int64_t pieces_of(int64_t n, int64_t piece) { return n > piece ? (n + piece - 1) / piece : 1; }

/// Which kernel reduces.
enum class ReduceShape : uint8_t {
  groups,   // up to 32 threads for each element of y: short rows side by side, or few steps along columns
  rows,     // a block for each piece of a row
  columns,  // a block for a piece of some columns
};

/// How a block reads columns: `width` threads side by side, each with `vector` columns, times kReduceThreads / width
/// rows.
struct ColumnTile {
  int vector, width;
};

constexpr int kReduceThreads = 256;

inline ColumnTile column_tile(int64_t inner) {
  const int vector = inner % 4 == 0 ? 4 : 1;
  int width = 1;  // 128 bytes at most
  while (width * vector < 32 && width * vector < inner) width *= 2;
  return {vector, width};
}

inline ReduceShape reduce_shape(int64_t outer, int64_t n, int64_t inner) {
  if (inner == 1) return n <= 1024 ? ReduceShape::groups : ReduceShape::rows;
  return n <= 64 && outer * inner >= 8192 ? ReduceShape::groups : ReduceShape::columns;
}

/// Threads that share one element of y in ReduceShape::groups: a power of two.
inline int reduce_group(int64_t n, int64_t inner) {
  int lanes = 1;
  while (inner == 1 && lanes < 32 && lanes * 4 < n) lanes *= 2;
  return lanes;
}

}  // namespace downhill::cuda
