// Recurrences over all time steps, and their gradients.
#include "graph/recurrent.h"
#include "backend/cpu/program.h"

namespace downhill::cpu {

std::unique_ptr<Launch> compile_recurrent(const Build& build) {
  const Step& step = build.step;
  const bool backward = is_recurrent_gradient(step.op);
  const int first = first_initial(step.op), given = static_cast<int>(step.inputs.size());
  const int masked = mask_operand(step.attrs, given), count = masked < 0 ? given : masked;
  const Shape& sequence = build.in(0).shape;
  RecurrentArgs args;
  args.cell = cell_of(step.op);
  args.n = sequence[0], args.steps = sequence[1], args.units = build.in(1).shape[0];
  args.initial = backward && count > first;
  if (backward) args.width = build.in(2).shape[2];
  const RecurrentKernels* const kernels = &build.table.recurrent;
  const int main = build.id(0), kernel = build.id(1), third = first > 2 ? build.id(2) : -1, to = step.output;
  const int h = count > first ? build.id(first) : -1, c = count > first + 1 ? build.id(first + 1) : -1;
  const int mask = masked < 0 ? -1 : build.id(masked);
  return launch(
      [=](const Run& run) {
        const auto floats = [&](int value) { return value < 0 ? nullptr : static_cast<const float*>(run.at[value]); };
        RecurrentArgs now = args;
        (backward ? now.states : now.x) = floats(main);
        (backward ? now.d : now.bias) = floats(third);
        now.kernel = floats(kernel);
        now.h = floats(h), now.c = floats(c), now.mask = floats(mask);
        now.to = static_cast<float*>(run.at[to]);
        now.scratch = run.scratch;
        (backward ? kernels->backward : kernels->forward)(now);
      },
      kernels->scratch_bytes(args, backward));
}

}  // namespace downhill::cpu
