// Steps that follow indices; the commands before them check the indices.
#include "backend/cuda/host/lower.h"

namespace downhill::cuda {

namespace {

int64_t product(const Shape& shape, int begin, int end) {
  int64_t size = 1;
  for (int i = begin; i < end; ++i) size *= shape[i];
  return size;
}

const int32_t* add_check(Lowering& lowering, int input, int64_t limit) {
  const int32_t* const indices = static_cast<const int32_t*>(lowering.input(input));
  lowering.add(CheckIndicesArgs{indices, lowering.in(input).shape.size(), limit, lowering.id, lowering.state});
  return indices;
}

}  // namespace

void lower_gather(Lowering& lowering) {
  const Shape& shape = lowering.in(0).shape;
  const int axis = lowering.axis();
  GatherArgs args{};
  args.outer = product(shape, 0, axis);
  args.n = shape[axis];
  args.count = lowering.in(1).shape.size();
  args.inner = product(shape, axis + 1, shape.rank());
  args.x = lowering.input(0);
  args.indices = add_check(lowering, 1, args.n);
  args.y = lowering.output();
  lowering.add(args);
}

void lower_scatter_add(Lowering& lowering) {
  const Shape& shape = lowering.out().shape;
  const int axis = lowering.axis();
  ScatterAddArgs args{};
  args.outer = product(shape, 0, axis);
  args.n = shape[axis];
  args.count = lowering.in(0).shape.size();
  args.inner = product(shape, axis + 1, shape.rank());
  args.indices = add_check(lowering, 0, args.n);
  args.x = lowering.input(1);
  args.y = lowering.output();
  args.dtype = lowering.out().dtype;
  args.scratch = lowering.take_scratch(scatter_scratch_bytes(args.n, args.count));
  lowering.add(args);
}

void lower_one_hot(Lowering& lowering) {
  OneHotArgs args{};
  args.n = lowering.in(0).shape.size();
  args.depth = lowering.step.attrs.integer("depth");
  args.labels = add_check(lowering, 0, args.depth);
  args.y = static_cast<float*>(lowering.output());
  lowering.add(args);
}

}  // namespace downhill::cuda
