// Recurrences over all time steps, and their gradients.
#include "graph/recurrent.h"
#include "backend/cuda/host/lower.h"

namespace downhill::cuda {

void lower_recurrent(Lowering& lowering) {
  const Op op = lowering.step.op;
  const int first = first_initial(op), given = static_cast<int>(lowering.step.inputs.size());
  const int mask = mask_operand(lowering.step.attrs, given), count = mask < 0 ? given : mask;
  const auto floats = [&](int i) { return static_cast<const float*>(lowering.input(i)); };
  const Shape& sequence = lowering.in(0).shape;
  RecurrentArgs args{};
  args.cell = cell_of(op);
  args.backward = is_recurrent_gradient(op);
  args.n = sequence[0], args.steps = sequence[1], args.units = lowering.in(1).shape[0];
  args.kernel = floats(1);
  if (args.backward) {
    args.states = floats(0), args.d = floats(2);
    args.width = lowering.in(2).shape[2];
    args.initial = count > first;
    args.carried =
        static_cast<float*>(lowering.take_scratch(static_cast<size_t>(args.n * 2 * args.units) * sizeof(float)));
  } else {
    args.x = floats(0);
    if (first > 2) args.bias = floats(2);
  }
  if (count > first) args.h = floats(first);
  if (count > first + 1) args.c = floats(first + 1);
  if (mask >= 0) args.mask = floats(mask);
  args.to = static_cast<float*>(lowering.output());
  lowering.add(args);
}

}  // namespace downhill::cuda
