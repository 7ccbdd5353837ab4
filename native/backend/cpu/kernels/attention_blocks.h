// What forward and backward passes of attention share: blocks of scores with a query in each lane, keys below one
// another, so that sums over keys are sums of vectors; and the products between such blocks and rows of the operands.
#pragma once
#include "backend/cpu/kernels/attention.h"
#include "backend/cpu/kernels/matmul_pack.h"
#include "backend/cpu/kernels/matmul_tile.h"
#include "backend/cpu/kernels/philox_lanes.h"
#include "ops/attention.h"
#include "ops/noise.h"

namespace downhill::cpu::DH_ISA {
namespace {

namespace formula = downhill::DH_ISA::attention;

constexpr int64_t kQueries = 32, kKeys = 64;  // of a block; lanes behind the last query repeat it

int64_t whole(int64_t columns) { return ceil_div(columns, kWidth) * kWidth; }

/// Rows that a product reads vector by vector.
struct Rows {
  const float* at;
  int64_t step;
};

/// In place where rows are whole vectors, else a copy with padded rows at `room`, (rows, whole(columns)).
Rows readable(const float* from, int64_t row, int64_t rows, int64_t columns, float* room) {
  if (columns % kWidth == 0) return {from, row};
  pack_copy(from, row, rows, columns, room, whole(columns));
  return {room, whole(columns)};
}
int64_t room_for(int64_t rows, int64_t columns) { return columns % kWidth == 0 ? 0 : rows * whole(columns); }

/// c (rows, columns) = or += a (rows, k) · b (k, columns); a[r · a_row + p · a_step].
void product(const float* a, int64_t a_row, int64_t a_step, int64_t rows, Rows b, int64_t k, float* c, int64_t ldc,
             int64_t columns, bool accumulate) {
  const int64_t tiles = ceil_div(rows, kTileRows);
  TileArgs tile;
  tile.k = k, tile.a_row = a_row, tile.a_step = a_step, tile.b_step = b.step, tile.ldc = ldc;
  tile.accumulate = accumulate;
  tile.bias = nullptr;
  for (int64_t column = 0; column < columns; column += kTileCols) {
    const int64_t count = smaller(kTileCols, columns - column);
    const int vecs = static_cast<int>(ceil_div(count, kWidth));
    tile.last = static_cast<int>(count - (vecs - 1) * kWidth);
    tile.b = b.at + column;
    for (int64_t t = 0; t < tiles; ++t) {
      const int64_t row = t * rows / tiles, height = (t + 1) * rows / tiles - row;
      tile.a = a + row * a_row;
      tile.c = c + row * ldc + column;
      tile_of<MatmulTiles<>>(height, vecs)(tile);
    }
  }
}

/// Of one example and head: where its rows begin.
struct Head {
  int64_t example, head;
  const float* q;
  const float* k;
  const float* v;

  Head(const AttentionArgs& args, int64_t index) : example(index / args.heads), head(index % args.heads) {
    q = args.q.at + example * args.queries * args.q.row + head * args.dim;
    k = args.k.at + example * args.keys * args.k.row + head * args.dim;
    v = args.v.at + example * args.keys * args.v.row + head * args.value_dim;
  }
};

struct Block {
  int64_t query, queries, lanes;  // the first; how many; with those that repeat the last
  int64_t key, keys;
};

/// How many keys the block's queries see of those there are.
int64_t visible(const AttentionArgs& args, int64_t query, int64_t queries) {
  return args.causal ? smaller(args.keys, formula::causal_keys(query + queries - 1)) : args.keys;
}

/// to (dim, lanes of kQueries) = the transpose of rows, times scale.
void transpose_queries(const float* from, int64_t row, int64_t dim, const Block& block, float scale, float* to) {
  pack_transpose(from, row, dim, block.queries, to, kQueries);
  if (scale == 1.0f) return;
  for (int64_t p = 0; p < dim; ++p)
    for (int64_t l = 0; l < block.lanes; ++l) to[p * kQueries + l] *= scale;
}

template <typename T>
void add_mask(const AttentionArgs& args, const T* mask, const Block& block, float* scores) {
  const int64_t across = args.mask_stride[2], down = args.mask_stride[3];
  for (int64_t j = 0; j < block.keys; ++j) {
    float* const s = scores + j * kQueries;
    const T* const m = mask + (block.key + j) * down + block.query * across;
    for (int64_t l = 0; l < block.queries; ++l) s[l] = formula::masked(s[l], m[l * across]);
  }
}

/// Hides from the scores (keys, lanes) what the mask and the order of time hide.
void hide(const AttentionArgs& args, const Head& at, const Block& block, float* scores) {
  if (args.mask) {
    const int64_t offset = at.example * args.mask_stride[0] + at.head * args.mask_stride[1];
    if (args.added)
      add_mask(args, static_cast<const float*>(args.mask) + offset, block, scores);
    else
      add_mask(args, static_cast<const int32_t*>(args.mask) + offset, block, scores);
  }
  if (!args.causal) return;
  const int64_t seen = formula::causal_keys(block.query) - block.key;  // keys that all of the block's queries see
  for (int64_t j = seen > 0 ? seen : 0; j < block.keys; ++j) {
    float* const s = scores + j * kQueries;
    const int64_t before = smaller(formula::causal_query(block.key + j) - block.query, block.lanes);
    for (int64_t l = 0; l < before; ++l) s[l] = formula::kHidden;
  }
}

/// visit(lane, key, number in [0, 1)) for each score: the numbers of dropout on an array [n, heads, queries, keys].
template <typename F>
void draw_numbers(const AttentionArgs& args, const Head& at, const Block& block, F&& visit) {
  constexpr int64_t kDrawn = 4 * kDrawBlocks;
  alignas(64) uint32_t random[kDrawn];
  for (int64_t l = 0; l < block.queries; ++l) {
    const int64_t row = (at.example * args.heads + at.head) * args.queries + block.query + l;
    const int64_t begin = row * args.keys + block.key;
    int64_t skip = begin % 4;  // numbers of the first counter that belong to elements before
    for (int64_t j = 0; j < block.keys; skip = 0) {
      draw(args.key, args.step, static_cast<uint64_t>((begin + j) / 4), random);
      const int64_t count = smaller(kDrawn - skip, block.keys - j);
      for (int64_t i = 0; i < count; ++i) visit(l, j + i, downhill::DH_ISA::uniform(random[skip + i]));
      j += count;
    }
  }
}

}  // namespace
}  // namespace downhill::cpu::DH_ISA
