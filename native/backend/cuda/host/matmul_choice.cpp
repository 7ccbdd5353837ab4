#include "backend/cuda/host/matmul_choice.h"

#include <algorithm>

namespace downhill::cuda {

namespace {

// Chosen by calculation, as no GPU was at hand: docs/cuda-matmul.md. The first row that fits is taken: a larger tile
// reads less for the same work, but leaves multiprocessors idle when there are too few of them.
struct Row {
  MatmulTile tile;
  int64_t least_rows, least_columns;  // of c, below which most of a tile would be empty
  double least_blocks;                // per multiprocessor
};
constexpr Row kRows[] = {
    {MatmulTile::large, 96, 96, 1.0},
    {MatmulTile::medium, 33, 33, 1.0},
    {MatmulTile::small, 0, 0, 0.0},
};

// Splitting the inner dimension, when blocks are still too few: up to this many per multiprocessor …
constexpr int64_t kBlocksWanted = 2;
// … with at least this depth each, as a block takes some steps until its copies run at full speed …
constexpr int64_t kLeastDepth = 64;
// … and not into more, as all of them are read again to be added up.
constexpr int64_t kMostSplits = 16;

int64_t up(int64_t a, int64_t b) { return (a + b - 1) / b; }

/// Where three products of TensorFloat-32 are faster than one of float32: data center GPUs. On the others the tensor
/// cores do TensorFloat-32 at the rate of the float32 cores.
bool has_fast_tf32(int compute_capability) {
  switch (compute_capability) {
    case 80:
    case 90:
    case 100:
    case 103:
      return true;
    default:
      return false;
  }
}

}  // namespace

TileSize tile_size(MatmulKind kind, MatmulTile tile) {
  if (kind == MatmulKind::ffma_bfloat16) return {64, 64};
  switch (tile) {
    case MatmulTile::large:
      return {128, kind == MatmulKind::bfloat16 ? 256 : 128};
    case MatmulTile::medium:
      return {64, 64};
    default:
      return {64, 32};
  }
}

MatmulKind kind_of(Precision precision, const Target& target) {
  const bool tensor_cores = target.compute_capability >= 80;
  switch (precision) {
    case Precision::bfloat16:
      return tensor_cores ? MatmulKind::bfloat16 : MatmulKind::ffma_bfloat16;
    case Precision::tf32:
      return tensor_cores ? MatmulKind::tf32 : MatmulKind::ffma;
    default:
      return has_fast_tf32(target.compute_capability) ? MatmulKind::tf32x3 : MatmulKind::ffma;
  }
}

MatmulChoice choose_matmul(int64_t batch, int64_t m, int64_t n, int64_t k, Precision precision, const Target& target) {
  MatmulChoice choice;
  choice.kind = kind_of(precision, target);
  int64_t blocks = 0;
  for (const Row& row : kRows) {
    if (choice.kind == MatmulKind::ffma_bfloat16 && row.tile != MatmulTile::medium) continue;  // has one kernel
    choice.tile = row.tile;
    const TileSize size = tile_size(choice.kind, row.tile);
    blocks = batch * up(m, size.rows) * up(n, size.columns);
    if (m >= row.least_rows && n >= row.least_columns &&
        static_cast<double>(blocks) >= row.least_blocks * target.multiprocessors)
      break;
  }
  if (blocks > 0 && blocks < target.multiprocessors)
    choice.splits = static_cast<int>(std::max<int64_t>(
        1, std::min({kBlocksWanted * target.multiprocessors / blocks, k / kLeastDepth, kMostSplits})));
  return choice;
}

}  // namespace downhill::cuda
