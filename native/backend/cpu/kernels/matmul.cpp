// Matrix product by blocks. A chunk of rows by columns of c belongs to one thread; per block of k it packs a few panels
// of b (each a tile wide) on its stack and runs the inner kernel down the rows of a, which are packed once for all
// chunks or read in place.
#include "backend/cpu/kernels/matmul_entry.h"
#include "backend/cpu/kernels/matmul_finish.h"
#include "backend/cpu/kernels/matmul_narrow.h"
#include "backend/cpu/kernels/matmul_pack.h"
#include "backend/cpu/kernels/matmul_tile.h"
#include "backend/cpu/pool.h"

namespace downhill::cpu::DH_ISA {
namespace {

constexpr int64_t kBlockK = 8192 / kTileCols;        // a panel of b is 32 KiB: the first-level cache
constexpr int64_t kBlockRows = 20 * kTileRows;       // of a chunk, at most: packed a and c of it stay in the
constexpr int64_t kBlockCols = 256;                  // second-level cache
constexpr int64_t kGroupPanels = 4;                  // of b, packed together
constexpr int64_t kPackedFloats = int64_t{2} << 20;  // packed a is 8 MiB, at most
constexpr int64_t kFlopsPerChunk = int64_t{32} * kTileCols * 512;  // about 2 µs: well above the cost of a region
constexpr int64_t kMaxChunks = 32;
constexpr int64_t kPackPiece = 16384;             // floats of a that are packed at once, about
constexpr int64_t kPackedAhead = 32 * kTileRows;  // packed a is one stream that goes on into the next tile
constexpr int64_t kLinesAhead = 64;
constexpr int64_t kSmallA = 65536;  // floats of a that need neither packing nor fetching ahead
constexpr int64_t kLargeB = 524288, kFewRows = 64;

bool is_amd() {
#if defined(__x86_64__)
  return __builtin_cpu_is("amd");
#else
  return false;
#endif
}

/// How a product is cut. A function of the shape alone: so are then the bits of the result.
struct Cut {
  bool pack_a = false;
  int64_t rows = 0, depth = 0;  // of one pass over packed a: the whole product unless a is too large to pack at once
  int64_t block_k = 0;
  int64_t splits = 1;  // ranges of k computed side by side and added in order; only when c is small and k long
};

int64_t row_chunk_count(int64_t m, int64_t n, int64_t flops) {
  const int64_t panels = ceil_div(n, kTileCols), wanted = smaller(flops / kFlopsPerChunk + 1, kMaxChunks);
  const int64_t least = ceil_div(m, kBlockRows), by_work = ceil_div(wanted, panels);
  // Fewer rows than these, and reading b again costs too much; one odd panel, and threads would idle.
  const bool uneven = panels % 2 == 1 && panels < 8 && m >= 2 * kTileRows;
  if (n > 2 * kTileCols) return larger(least, smaller(by_work, larger(uneven ? 2 : 1, m / (8 * kTileRows))));
  const int64_t most = smaller(by_work, larger(m / (2 * kTileRows), m > kTileRows ? 2 : 1));
  int64_t chunks = 1;  // so few that an odd one would leave threads idle
  while (2 * chunks <= most) chunks *= 2;
  return larger(least, chunks);
}

/// Two panels at least, where there are enough: packing one alone meets every page of b again.
int64_t column_chunk_count(int64_t n, int64_t row_chunks, int64_t flops) {
  const int64_t wanted = smaller(flops / kFlopsPerChunk + 1, kMaxChunks), panels = ceil_div(n, kTileCols);
  return smaller(larger(ceil_div(wanted, row_chunks), ceil_div(n, kBlockCols)), panels < 8 ? panels : panels / 2);
}

Cut cut_of(int64_t m, int64_t n, int64_t k, bool transpose_a) {
  Cut cut;
  cut.rows = m;
  cut.depth = k;
  if (m == 0 || n == 0 || k == 0) return cut;
  cut.block_k = ceil_div(k, ceil_div(k, kBlockK));
  // Small a stays in the second-level cache, where its rows are read in place; not where all fall into one set.
  const int64_t in_place_a = transpose_a ? kPackPiece : k % 1024 ? kSmallA : 0;
  cut.pack_a = m > kTileRows && n > (transpose_a ? 3 : 2) * kTileCols && m * k > in_place_a;
  if (cut.pack_a && m * k > kPackedFloats) {
    const int64_t blocks = smaller(ceil_div(k, cut.block_k), larger(1, 2048 / cut.block_k));
    cut.depth = smaller(k, blocks * cut.block_k);
    cut.rows = smaller(m, larger(kBlockRows, kPackedFloats / cut.depth / kBlockRows * kBlockRows));
  }
  if (!cut.pack_a && k >= 4 * kBlockK) {
    const int64_t flops = 2 * m * n * k;
    const int64_t row_chunks = row_chunk_count(m, n, flops);
    const int64_t chunks = row_chunks * column_chunk_count(n, row_chunks, flops);
    const int64_t wanted = smaller(smaller(flops / kFlopsPerChunk, 16) / chunks, k / (2 * kBlockK));
    if (chunks < 8 && wanted > 1) cut.splits = wanted;
  }
  return cut;
}

/// One pass: c (m, n) = or += a (m, k) · b (k, n), with a packed whole or in place.
struct Pass {
  int64_t m, n, k;
  const float* a;
  int64_t a_row, a_step;  // of a in place
  const float* packed;    // or null
  const float* b;
  int64_t ldb;
  bool transpose_b;
  float* c;
  int64_t ldc;
  bool accumulate;
  int64_t block_k;
  int64_t row_chunks;
  Fetch fetch;
  const float* bias;        // null unless this pass ends the sum; so is whole
  const MatmulArgs* whole;  // the product that this is rows of, from `row` on
  int64_t row;
};

/// The tiles of a range of rows: as few as possible, and of even height.
struct Heights {
  int64_t count, base, taller;
  explicit Heights(int64_t rows) : count(ceil_div(rows, kTileRows)), base(rows / count), taller(rows % count) {}
  int64_t of(int64_t index) const { return base + (index < taller); }
  int64_t start(int64_t index) const { return index * base + smaller(index, taller); }
};

/// Packed a: block of k after block of k, in it the rows in order, tile by tile: so row i of a block starts at i ·
/// block.
void pack_rows(const MatmulArgs& args, Range rows, Range tiles, Range depth, float* to) {
  const Heights heights(rows.size());
  int64_t row = rows.begin + heights.start(tiles.begin);
  for (int64_t t = tiles.begin; t < tiles.end; ++t) {
    const int64_t height = heights.of(t);
    float* target = to + row * depth.size();
    if (args.transpose_a) {
      pack_copy(args.a + depth.begin * args.lda + row, args.lda, depth.size(), height, target, height);
    } else {
      pack_transpose(args.a + row * args.lda + depth.begin, args.lda, depth.size(), height, target, height);
    }
    row += height;
  }
}

/// The most tiles in a column of a chunk for which b is better read where it lies than packed first. Chosen by machine:
/// the bits do not depend on it.
int64_t tiles_in_place(int64_t ldb) {
  if (ldb <= 2 * kTileCols) return kBlockRows;
  if (!is_amd()) return 4;
  if (ldb % 1024 == 0) return 4;  // the rows of a panel fall into a few sets of the caches
  return kWidth >= 16 ? 20 : 8;
}

/// Chosen by machine, too: on Intel's only large b that few rows meet is worth it, and small a stays in the second
/// cache.
Fetch fetch_of(const Pass& pass) {
  if (is_amd() || (pass.m <= kFewRows && pass.n * pass.k > kLargeB)) return Fetch::a_and_b;
  return pass.m * pass.k > kSmallA ? Fetch::a : Fetch::none;
}

void run_tile(Fetch fetch, int64_t rows, int64_t vecs, const TileArgs& tile) {
  switch (fetch) {
    case Fetch::none:
      return tile_of<MatmulTiles<>>(rows, vecs)(tile);
    case Fetch::a:
      return tile_of<MatmulTiles<Fetch::a>>(rows, vecs)(tile);
    case Fetch::a_and_b:
      return tile_of<MatmulTiles<Fetch::a_and_b>>(rows, vecs)(tile);
  }
}

void multiply_chunk(const Pass& pass, Range rows, Range panels) {
  alignas(64) float packed_b[kGroupPanels * kBlockK * kTileCols];
  const Heights heights(rows.size());
  const bool in_place_b = !pass.transpose_b && heights.count <= tiles_in_place(pass.ldb);
  TileArgs tile;
  tile.ldc = pass.ldc;
  for (int64_t k0 = 0; k0 < pass.k; k0 += pass.block_k) {
    const int64_t depth = smaller(pass.block_k, pass.k - k0);
    tile.k = depth;
    tile.accumulate = pass.accumulate || k0 > 0;
    const float* bias = k0 + depth == pass.k ? pass.bias : nullptr;
    for (int64_t panel = panels.begin; panel < panels.end; ++panel) {
      const int64_t column = panel * kTileCols, width = smaller(kTileCols, pass.n - column);
      const int vecs = static_cast<int>(ceil_div(width, kWidth));
      tile.last = static_cast<int>(width - (vecs - 1) * kWidth);
      tile.bias = bias ? bias + column : nullptr;
      if (in_place_b && tile.last == kWidth) {
        tile.b = pass.b + k0 * pass.ldb + column;
        tile.b_step = pass.ldb;
      } else {
        const int64_t member = (panel - panels.begin) % kGroupPanels;
        float* const target = packed_b + member * depth * kTileCols;
        tile.b = target;
        tile.b_step = vecs * kWidth;
        if (pass.transpose_b) {
          pack_transpose(pass.b + column * pass.ldb + k0, pass.ldb, depth, width, target, tile.b_step);
        } else if (width < kTileCols) {
          pack_copy(pass.b + k0 * pass.ldb + column, pass.ldb, depth, width, target, tile.b_step);
        } else if (member == 0) {
          const int64_t whole = smaller(panels.end, pass.n / kTileCols) - panel;
          pack_panels(pass.b + k0 * pass.ldb + column, pass.ldb, depth, smaller(whole, kGroupPanels), target);
        }
      }
      int64_t row = rows.begin;
      for (int64_t t = 0; t < heights.count; ++t) {
        const int64_t height = heights.of(t);
        if (pass.packed) {
          tile.a = pass.packed + k0 * pass.m + row * depth;
          tile.a_row = 1;
          tile.a_step = height;
          tile.ahead = tile.a + kPackedAhead;
          tile.ahead_row = height;
          tile.ahead_line = 16 * height;
        } else {
          tile.a = pass.a + row * pass.a_row + k0 * pass.a_step;
          tile.a_row = pass.a_row;
          tile.a_step = pass.a_step;
          // By columns: those of the next tile. By rows: the next lines of all rows.
          const bool columns = pass.a_row == 1;
          tile.ahead = tile.a + (columns ? 2 * height - 1 : kLinesAhead);
          tile.ahead_row = columns ? pass.a_step : pass.a_row;
          tile.ahead_line = columns ? 16 * pass.a_step : 16;
        }
        tile.c = pass.c + row * pass.ldc + column;
        run_tile(pass.fetch, height, vecs, tile);
        row += height;
      }
    }
  }
  const Range columns = {panels.begin * kTileCols, smaller(panels.end * kTileCols, pass.n)};
  if (pass.whole) finish(*pass.whole, {pass.row + rows.begin, pass.row + rows.end}, columns);
}

/// All chunks of a pass; `splits` of them share each block of c and write to partial sums behind one another.
void multiply(const Pass& pass, int64_t splits, float* partial) {
  const int64_t flops = 2 * pass.m * pass.n * pass.k;
  const int64_t panels = ceil_div(pass.n, kTileCols);
  const int64_t columns = column_chunk_count(pass.n, pass.row_chunks, flops);
  const int64_t chunks = pass.row_chunks * columns;
  parallel_for(chunks * splits, [&](int64_t index) {
    const int64_t chunk = index % chunks;
    const Range rows = part(pass.m, pass.row_chunks, chunk / columns);
    const Range panel = part(panels, columns, chunk % columns);
    if (splits == 1) return multiply_chunk(pass, rows, panel);
    const Range depth = part(pass.k, splits, index / chunks);
    Pass own = pass;
    own.k = depth.size();
    own.a += depth.begin * pass.a_step;
    own.b += depth.begin * (pass.transpose_b ? 1 : pass.ldb);
    own.c = partial + index / chunks * pass.m * pass.n;
    own.ldc = pass.n;
    own.accumulate = false;
    multiply_chunk(own, rows, panel);
  });
}

void combine(const MatmulArgs& args, int64_t splits, const float* partial) {
  const int64_t size = args.m * args.n;
  for (int64_t i = 0; i < args.m; ++i)
    for (int64_t j = 0; j < args.n; ++j) {
      const float* from = partial + i * args.n + j;
      float sum = from[0];
      for (int64_t s = 1; s < splits; ++s) sum += from[s * size];
      args.c[i * args.ldc + j] = args.bias ? sum + args.bias[j] : sum;
    }
}

size_t scratch_bytes(int64_t m, int64_t n, int64_t k, bool transpose_a, bool transpose_b) {
  MatmulArgs shape;
  shape.m = m, shape.n = n, shape.k = k, shape.transpose_a = transpose_a, shape.transpose_b = transpose_b;
  if (const Narrow narrow(shape); is_narrow(narrow)) return narrow_scratch(NarrowCut(narrow));
  const Cut cut = cut_of(m, n, k, transpose_a);
  int64_t floats = 0;
  if (cut.pack_a) floats = smaller(cut.rows, m) * smaller(cut.depth, k);
  if (cut.splits > 1) floats = cut.splits * m * n;
  return static_cast<size_t>(ceil_div(floats * 4, 64) * 64);
}

void run(const MatmulArgs& args) {
  if (args.m == 0 || args.n == 0) return;
  if (const Narrow narrow(args); is_narrow(narrow)) return run_narrow(narrow, NarrowCut(narrow));
  const int64_t a_row = args.transpose_a ? 1 : args.lda, a_step = args.transpose_a ? args.lda : 1;
  const int64_t b_step = args.transpose_b ? 1 : args.ldb;
  const Cut cut = cut_of(args.m, args.n, args.k, args.transpose_a);
  float* scratch = reinterpret_cast<float*>(args.scratch);
  if (args.k == 0) fill(args);
  for (int64_t i = 0; i < args.m && args.k > 0; i += cut.rows) {
    for (int64_t p = 0; p < args.k; p += cut.depth) {
      Pass pass = {};
      pass.m = smaller(cut.rows, args.m - i);
      pass.n = args.n;
      pass.k = smaller(cut.depth, args.k - p);
      pass.a = args.a + i * a_row + p * a_step;
      pass.a_row = a_row;
      pass.a_step = a_step;
      pass.b = args.b + p * b_step;
      pass.ldb = args.ldb;
      pass.transpose_b = args.transpose_b;
      pass.c = args.c + i * args.ldc;
      pass.ldc = args.ldc;
      pass.accumulate = p > 0;
      pass.block_k = cut.block_k;
      pass.fetch = fetch_of(pass);
      pass.row_chunks = row_chunk_count(pass.m, pass.n, 2 * pass.m * pass.n * pass.k);
      if (p + pass.k == args.k && cut.splits == 1) {
        pass.bias = args.bias;
        pass.whole = &args;
        pass.row = i;
      }
      if (cut.pack_a) {
        MatmulArgs from = args;
        from.a = pass.a;
        const int64_t blocks = ceil_div(pass.k, pass.block_k);
        // Pieces by rows first: a thread packs what it reads afterwards.
        const int64_t pieces = smaller(ceil_div(pass.m * pass.block_k, kPackPiece * pass.row_chunks), 4);
        parallel_for(pass.row_chunks * pieces * blocks, [&](int64_t index) {
          const int64_t k0 = index % blocks * pass.block_k, piece = index / blocks % pieces;
          const Range rows = part(pass.m, pass.row_chunks, index / blocks / pieces);
          const Range depth = {k0, smaller(k0 + pass.block_k, pass.k)};
          pack_rows(from, rows, part(Heights(rows.size()).count, pieces, piece), depth, scratch + k0 * pass.m);
        });
        pass.packed = scratch;
      }
      multiply(pass, cut.splits, scratch);
    }
  }
  if (cut.splits > 1) combine(args, cut.splits, scratch);
  if (args.k == 0 || cut.splits > 1) finish(args, {0, args.m}, {0, args.n});
}

}  // namespace

extern const MatmulKernels matmul_kernels = {scratch_bytes, run};

}  // namespace downhill::cpu::DH_ISA
