// Reductions over any set of axes, pass by pass.
// Long reductions are cut into pieces whose results are reduced in turn; the cuts depend on shapes alone.
#include <algorithm>
#include <cstring>

#include "backend/cpu/program.h"
#include "backend/layout.h"
#include "backend/reduce_passes.h"

namespace downhill::cpu {

namespace {

constexpr int64_t kColumnTile = 512;     // columns of one task
constexpr int64_t kColumnPiece = 32768;  // elements of one task over columns

struct Pass : ReducePass {
  int64_t tile() const { return inner > 2 * kColumnTile ? kColumnTile : inner; }
  /// How much of n one task takes.
  int64_t piece() const {
    if (inner == 1) return kRowPiece;
    const int64_t rows = std::max<int64_t>(16, kColumnPiece / std::max<int64_t>(tile(), 1));
    return n > 2 * rows ? rows : std::max<int64_t>(n, 1);
  }
  int64_t pieces() const { return n == 0 ? 1 : (n + piece() - 1) / piece(); }
  int64_t partials() const { return pieces() > 1 ? outer * pieces() * inner : 0; }
};

struct Reduce {
  using Rows = void (*)(const void*, void*, int64_t, int64_t);
  using Columns = void (*)(const void*, int64_t, void*, int64_t, int64_t);
  Rows rows;
  Columns columns;
  std::vector<Pass> passes;
  int from, to;
  size_t half = 0;  // bytes: results of passes alternate between two places in scratch, partial results lie behind them

  void operator()(const Run& run) const {
    const int32_t* x = static_cast<const int32_t*>(run.at[from]);
    for (size_t i = 0; i < passes.size(); ++i) {
      int32_t* y = static_cast<int32_t*>(i + 1 == passes.size() ? run.at[to] : run.scratch + (i % 2) * half);
      int32_t* partial = reinterpret_cast<int32_t*>(run.scratch + 2 * half);
      const Pass& pass = passes[i];
      if (pass.pieces() == 1) {
        reduce(pass, x, y);
      } else {
        cut(pass, x, partial);
        reduce({{pass.outer, pass.pieces(), pass.inner}}, partial, y);
      }
      x = y;
    }
  }

  /// Each (outer, tile of columns) in one go.
  void reduce(const Pass& p, const int32_t* x, int32_t* y) const {
    if (p.inner == 1)
      return for_pieces(p.outer, items_per_piece(p.n),
                        [&](int64_t begin, int64_t end) { rows(x + begin * p.n, y + begin, end - begin, p.n); });
    const int64_t tile = p.tile(), tiles = tile ? (p.inner + tile - 1) / tile : 0;
    for_pieces(p.outer * tiles, items_per_piece(p.n * tile), [&](int64_t begin, int64_t end) {
      for (int64_t i = begin; i < end; ++i) {
        const int64_t o = i / tiles, column = i % tiles * tile;
        columns(x + o * p.n * p.inner + column, p.inner, y + o * p.inner + column, p.n,
                std::min(tile, p.inner - column));
      }
    });
  }

  /// Each piece of n by itself: partial (outer, pieces, inner).
  void cut(const Pass& p, const int32_t* x, int32_t* partial) const {
    const int64_t pieces = p.pieces(), piece = p.piece(), tile = p.tile(), tiles = (p.inner + tile - 1) / tile;
    for_pieces(p.outer * pieces * tiles, 1, [&](int64_t begin, int64_t end) {
      for (int64_t i = begin; i < end; ++i) {
        const int64_t column = i % tiles * tile, part = i / tiles, o = part / pieces, first = part % pieces * piece;
        const int32_t* source = x + (o * p.n + first) * p.inner + column;
        int32_t* target = partial + part * p.inner + column;
        const int64_t n = std::min(piece, p.n - first);
        if (p.inner == 1)
          rows(source, target, 1, n);
        else
          columns(source, p.inner, target, n, std::min(tile, p.inner - column));
      }
    });
  }
};

}  // namespace

Reduction reduction_of(Op op) {
  return op == Op::sum ? Reduction::sum : op == Op::max ? Reduction::max : Reduction::min;
}

std::unique_ptr<Launch> compile_reduce(const Build& build) {
  const Step& step = build.step;
  const int reduction = static_cast<int>(reduction_of(step.op));
  const int dtype = static_cast<int>(build.in(0).dtype);
  Reduce body;
  body.rows = build.table.reduce.rows[reduction][dtype];
  body.columns = build.table.reduce.columns[reduction][dtype];
  body.from = build.id(0), body.to = step.output;
  for (const ReducePass& pass : reduce_passes(build.in(0).shape, step.attrs.ints("axes")))
    body.passes.push_back({pass});
  size_t partial = 0;
  for (size_t i = 0; i < body.passes.size(); ++i) {
    const Pass& pass = body.passes[i];
    if (i + 1 < body.passes.size())
      body.half = std::max(body.half, aligned(static_cast<size_t>(pass.outer * pass.inner) * 4));
    partial = std::max(partial, static_cast<size_t>(pass.partials()) * 4);
  }
  const size_t scratch = 2 * body.half + partial;
  return launch(std::move(body), scratch);
}

std::unique_ptr<Launch> compile_argmax(const Build& build) {
  const Shape& shape = build.in(0).shape;
  const int axis = build.axis();
  Pass p{{1, shape[axis], 1}};
  for (int i = 0; i < axis; ++i) p.outer *= shape[i];
  for (int i = axis + 1; i < shape.rank(); ++i) p.inner *= shape[i];
  const int from = build.id(0), to = build.step.output;
  const auto rows = build.table.reduce.argmax_rows[static_cast<int>(build.in(0).dtype)];
  const auto columns = build.table.reduce.argmax_columns[static_cast<int>(build.in(0).dtype)];
  return launch([=](const Run& run) {
    const int32_t* x = static_cast<const int32_t*>(run.at[from]);
    int32_t* y = static_cast<int32_t*>(run.at[to]);
    if (p.inner == 1)
      return for_pieces(p.outer, items_per_piece(p.n),
                        [&](int64_t begin, int64_t end) { rows(x + begin * p.n, y + begin, end - begin, p.n); });
    const int64_t tile = p.tile(), tiles = tile ? (p.inner + tile - 1) / tile : 0;
    for_pieces(p.outer * tiles, items_per_piece(p.n * tile), [&](int64_t begin, int64_t end) {
      for (int64_t i = begin; i < end; ++i) {
        const int64_t o = i / tiles, column = i % tiles * tile;
        columns(x + o * p.n * p.inner + column, p.inner, y + o * p.inner + column, p.n,
                std::min(tile, p.inner - column));
      }
    });
  });
}

}  // namespace downhill::cpu
