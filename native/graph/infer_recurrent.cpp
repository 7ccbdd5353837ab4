#include "graph/infer_recurrent.h"

#include "graph/recurrent.h"

namespace downhill::recurrent {

namespace {

std::string times_units(int64_t factor) { return factor == 1 ? "units" : std::to_string(factor) + " units"; }

/// Units, from the kernel; checks the number of operands, the kernel and the initial states.
int64_t units_of(Op op, const Inputs& inputs, const Attrs& attrs) {
  const Cell cell = cell_of(op);
  const CellSizes sizes = sizes_of(cell);
  const int first = first_initial(op), given = static_cast<int>(inputs.size());
  const int mask = mask_operand(attrs, given), count = mask < 0 ? given : mask;
  if (count != first && count != first + sizes.carried)
    invalid(op, "expected " + std::to_string(first) + " or " + std::to_string(first + sizes.carried) +
                    " operands, received " + std::to_string(count) + ".");
  const Shape &x = inputs[0]->shape, &kernel = inputs[1]->shape;
  if (x.rank() != 3) mismatch(op, "expected sequences [n, steps, features].", inputs);
  if (kernel.rank() != 2 || kernel[1] != sizes.gates * kernel[0])
    mismatch(op, "expected a recurrent kernel [units, " + times_units(sizes.gates) + "].", inputs);
  for (int i = first; i < count; ++i)
    if (inputs[i]->shape != Shape({x[0], kernel[0]})) mismatch(op, "expected initial states [n, units].", inputs);
  if (mask >= 0 && inputs[mask]->shape != Shape({x[0], x[1]})) mismatch(op, "expected a mask [n, steps].", inputs);
  return kernel[0];
}

}  // namespace

Inferred shape_recurrent(Op op, const Inputs& inputs, Attrs& attrs) {
  const CellSizes sizes = sizes_of(cell_of(op));
  const int64_t units = units_of(op, inputs, attrs);
  const Shape& x = inputs[0]->shape;
  if (x[2] != sizes.gates * units)
    mismatch(op, "expected input products [n, steps, " + times_units(sizes.gates) + "].", inputs);
  if (sizes.bias && inputs[2]->shape != Shape({sizes.gates * units}))
    mismatch(op, "expected a bias [" + times_units(sizes.gates) + "].", inputs);
  return {Shape({x[0], x[1], sizes.states * units}), DType::float32};
}

Inferred shape_recurrent_grad(Op op, const Inputs& inputs, Attrs& attrs) {
  const CellSizes sizes = sizes_of(cell_of(op));
  const int64_t units = units_of(op, inputs, attrs);
  const Shape &states = inputs[0]->shape, &d = inputs[2]->shape;
  const bool fits = states[2] == sizes.states * units && d.rank() == 3 && d[0] == states[0] && d[1] == states[1] &&
                    (d[2] == states[2] || d[2] == units);
  if (!fits) mismatch(op, "expected states and their gradients.", inputs);
  const bool initial = has_initial(op, attrs, static_cast<int>(inputs.size()));
  return {Shape({states[0], states[1] + initial, sizes.gradients * units}), DType::float32};
}

}  // namespace downhill::recurrent
