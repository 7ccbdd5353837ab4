// Elementwise steps: broadcasting becomes strides, strides become as few loops as possible.
#include "backend/cuda/host/lower.h"
#include "core/error.h"

namespace downhill::cuda {

void lower_elementwise(Lowering& lowering) {
  const Step& step = lowering.step;
  ElementwiseArgs args{};
  args.op = step.op;
  args.dtype = lowering.in(0).dtype;
  if (row_of(step.op).types == OpTypes::F && args.dtype != DType::float32)
    throw Error(code::kUnsupported,
                std::string(name_of(step.op)) + " has no kernel for " + name_of(args.dtype) + " on CUDA.");
  read_params(step.op, step.attrs, args.params);
  const Shape& shape = lowering.out().shape;
  std::vector<std::vector<int64_t>> strides{strides_of(shape)};
  args.at[0] = lowering.output();
  for (int i = 0; i < static_cast<int>(step.inputs.size()); ++i) {
    strides.push_back(broadcast_strides(lowering.in(i).shape, shape));
    args.at[i + 1] = const_cast<void*>(lowering.input(i));
  }
  args.nest = collapse(shape, strides);
  lowering.add(args);
}

}  // namespace downhill::cuda
