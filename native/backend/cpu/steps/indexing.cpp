// Steps that follow indices. Indices are checked before anything is read or written through them.
#include <algorithm>
#include <cstring>

#include "backend/cpu/program.h"
#include "backend/cpu/steps/row_gradients.h"
#include "core/error.h"

namespace downhill::cpu {

namespace {

int64_t product(const Shape& shape, int begin, int end) {
  int64_t size = 1;
  for (int i = begin; i < end; ++i) size *= shape[i];
  return size;
}

/// indices (count), x (count, width) → rows of a gradient y (n, width); each row is summed in the order of the indices.
std::unique_ptr<Launch> compile_scatter_rows(const Build& build) {
  constexpr int64_t kTask = 1 << 17;  // elements
  const Shape& shape = build.out().shape;
  const int64_t n = shape[0], count = build.in(0).shape.size(), width = shape.size() / n;
  const int64_t ranges = std::clamp<int64_t>(count * width / kTask, 1, 4);  // every task reads all indices
  const int at = build.id(0), from = build.id(1), to = build.step.output;
  const auto add = build.table.movement.scatter_add_between;
  TouchedRows* const list = build.out().storage->rows.get();
  const IndexRule rule(build);
  return launch([=](const Run& run) {
    const int32_t* const indices = static_cast<const int32_t*>(run.at[at]);
    const float* const x = static_cast<const float*>(run.at[from]);
    float* const y = static_cast<float*>(run.at[to]);
    rule.check(indices);
    int64_t bounds[kMostRanges + 1];
    choose_ranges(indices, count, n, kMarkBits, ranges, bounds);
    const RowWriter writer(*list, y, n, width, count);
    for_pieces(ranges, 1, [&](int64_t first, int64_t) {
      writer.clear(bounds[first], bounds[first + 1]);
      add(x, indices, y, count, width, bounds[first], bounds[first + 1]);
      for (int64_t i = 0; i < count; ++i)
        if (indices[i] >= bounds[first] && indices[i] < bounds[first + 1]) writer.mark(indices[i]);
    });
    writer.finish();
  });
}

}  // namespace

/// x (outer, n, inner), indices (count) → y (outer, count, inner)
std::unique_ptr<Launch> compile_gather(const Build& build) {
  const Shape& shape = build.in(0).shape;
  const int axis = build.axis();
  const int64_t outer = product(shape, 0, axis), inner = product(shape, axis + 1, shape.rank()), n = shape[axis];
  const int64_t count = build.in(1).shape.size();
  const int from = build.id(0), at = build.id(1), to = build.step.output;
  const auto gather = build.table.movement.gather;
  const IndexRule rule(build);
  return launch([=](const Run& run) {
    const int32_t *x = static_cast<const int32_t*>(run.at[from]), *indices = static_cast<const int32_t*>(run.at[at]);
    int32_t* y = static_cast<int32_t*>(run.at[to]);
    rule.check(indices);
    if (inner == 0) return;
    const int64_t size = std::min(std::max<int64_t>(count, 1), items_per_piece(inner)),
                  pieces = (count + size - 1) / size;
    for_pieces(outer * pieces, items_per_piece(size * inner), [&](int64_t begin, int64_t end) {
      for (int64_t i = begin; i < end; ++i) {
        const int64_t o = i / pieces, first = i % pieces * size;
        gather(x + o * n * inner, indices + first, y + (o * count + first) * inner, std::min(size, count - first),
               inner);
      }
    });
  });
}

/// indices (count), x (outer, count, inner) → y (outer, n, inner). Tasks share no element of y, and each adds in the
/// order of the indices, so the result does not depend on the number of threads.
std::unique_ptr<Launch> compile_scatter_add(const Build& build) {
  if (writes_rows(build.plan, build.step)) return compile_scatter_rows(build);
  const Shape &indices_shape = build.in(0).shape, &shape = build.out().shape;
  const int axis = build.axis();
  const int64_t outer = product(shape, 0, axis), inner = product(shape, axis + 1, shape.rank()), n = shape[axis];
  const int64_t count = indices_shape.size();
  const int at = build.id(0), from = build.id(1), to = build.step.output;
  const auto add = build.table.movement.scatter_add[static_cast<int>(build.out().dtype)];
  const size_t bytes = build.out().bytes();
  const IndexRule rule(build);
  return launch([=](const Run& run) {
    const int32_t *indices = static_cast<const int32_t*>(run.at[at]), *x = static_cast<const int32_t*>(run.at[from]);
    int32_t* y = static_cast<int32_t*>(run.at[to]);
    rule.check(indices);
    if (bytes) std::memset(y, 0, bytes);
    const int64_t tile = std::min<int64_t>(inner, 64), tiles = tile ? (inner + tile - 1) / tile : 0;
    for_pieces(outer * tiles, items_per_piece(count * tile), [&](int64_t begin, int64_t end) {
      for (int64_t i = begin; i < end; ++i) {
        const int64_t o = i / tiles, column = i % tiles * tile;
        add(x + o * count * inner + column, indices, y + o * n * inner + column, count, inner,
            std::min(tile, inner - column));
      }
    });
  });
}

std::unique_ptr<Launch> compile_one_hot(const Build& build) {
  const int64_t n = build.in(0).shape.size(), depth = build.step.attrs.integer("depth");
  const int from = build.id(0), to = build.step.output;
  const auto one_hot = build.table.movement.one_hot;
  const IndexRule rule(build);
  return launch([=](const Run& run) {
    const int32_t* labels = static_cast<const int32_t*>(run.at[from]);
    float* y = static_cast<float*>(run.at[to]);
    rule.check(labels);
    for_pieces(n, items_per_piece(depth),
               [&](int64_t begin, int64_t end) { one_hot(labels + begin, y + begin * depth, end - begin, depth); });
  });
}

}  // namespace downhill::cpu
