// Which kernel computes a matrix product. The one place to change when there are measurements.
#pragma once
#include <cstdint>

#include "backend/cuda/commands/matmul.h"
#include "backend/cuda/host/lower.h"

namespace downhill::cuda {

struct MatmulChoice {
  MatmulKind kind = MatmulKind::ffma;
  MatmulTile tile = MatmulTile::small;
  int splits = 1;
};

/// Rows and columns of c that a block computes.
struct TileSize {
  int rows, columns;
};
TileSize tile_size(MatmulKind kind, MatmulTile tile);

/// The arithmetic that a precision means on a device.
MatmulKind kind_of(Precision precision, const Target& target);

/// For `batch` products (m, k) · (k, n).
MatmulChoice choose_matmul(int64_t batch, int64_t m, int64_t n, int64_t k, Precision precision, const Target& target);

}  // namespace downhill::cuda
