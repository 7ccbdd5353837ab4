// Reductions over any set of axes, pass by pass; a pass with few results is cut into pieces for more blocks to share.
#include <algorithm>

#include "backend/cuda/host/lower.h"
#include "backend/reduce_passes.h"

namespace downhill::cuda {

namespace {

constexpr int64_t kBlocks = 1024;  // enough to fill a large device

int64_t ceil_divide(int64_t a, int64_t b) { return (a + b - 1) / b; }

/// n cut into pieces, multiples of `unit`, for `tasks` of them to make kBlocks; no smaller than `least`.
int64_t piece_of(int64_t n, int64_t tasks, int64_t unit, int64_t least) {
  const int64_t pieces = std::min(ceil_divide(kBlocks, std::max<int64_t>(tasks, 1)), n / least);
  return pieces <= 1 ? std::max<int64_t>(n, 1) : ceil_divide(ceil_divide(n, pieces), unit) * unit;
}

int64_t piece_of(const ReducePass& pass) {
  switch (reduce_shape(pass.outer, pass.n, pass.inner)) {
    case ReduceShape::groups:
      break;
    case ReduceShape::rows:
      return piece_of(pass.n, pass.outer, 1024, 4096);
    case ReduceShape::columns: {
      const ColumnTile tile = column_tile(pass.inner);
      const int64_t lines = kReduceThreads / tile.width;
      return piece_of(pass.n, pass.outer * ceil_divide(pass.inner, int64_t{tile.width} * tile.vector), lines,
                      lines * 16);
    }
  }
  return std::max<int64_t>(pass.n, 1);
}

}  // namespace

void lower_reduce(Lowering& lowering) {
  const Op op = lowering.step.op;
  ReduceArgs args{};
  args.reduction = op == Op::sum ? Reduction::sum : op == Op::max ? Reduction::max : Reduction::min;
  args.dtype = lowering.in(0).dtype;
  args.x = lowering.input(0);
  const std::vector<ReducePass> passes = reduce_passes(lowering.in(0).shape, lowering.step.attrs.ints("axes"));
  for (size_t i = 0; i < passes.size(); ++i) {
    ReducePass pass = passes[i];
    const int64_t piece = piece_of(pass), pieces = pieces_of(pass.n, piece);
    const auto run = [&](int64_t n, int64_t piece, void* y) {
      args.outer = pass.outer, args.n = n, args.inner = pass.inner, args.piece = piece, args.y = y;
      lowering.add(args);
      args.x = y;
    };
    if (pieces > 1)
      run(pass.n, piece, lowering.take_scratch(static_cast<size_t>(pass.outer * pieces * pass.inner) * 4));
    const bool last = i + 1 == passes.size();
    void* const y = last ? lowering.output() : lowering.take_scratch(static_cast<size_t>(pass.outer * pass.inner) * 4);
    const int64_t n = pieces > 1 ? pieces : pass.n;
    run(n, std::max<int64_t>(n, 1), y);
  }
}

void lower_argmax(Lowering& lowering) {
  const Shape& shape = lowering.in(0).shape;
  const int axis = lowering.axis();
  ArgmaxArgs args{};
  args.x = lowering.input(0);
  args.dtype = lowering.in(0).dtype;
  args.outer = args.inner = 1;
  args.count = args.n = shape[axis];
  for (int i = 0; i < axis; ++i) args.outer *= shape[i];
  for (int i = axis + 1; i < shape.rank(); ++i) args.inner *= shape[i];
  args.piece = piece_of(args.n, args.outer * args.inner, 256, 256);
  const int64_t pieces = pieces_of(args.count, args.piece);
  if (pieces > 1) {
    args.y = static_cast<int32_t*>(
        lowering.take_scratch(static_cast<size_t>(args.outer * pieces * args.inner) * sizeof(int32_t)));
    lowering.add(args);
    args.candidates = args.y;
    args.count = args.piece = pieces;
  }
  args.y = static_cast<int32_t*>(lowering.output());
  lowering.add(args);
}

}  // namespace downhill::cuda
