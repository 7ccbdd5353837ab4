#include "autodiff/recurrent.h"

#include "autodiff/expressions.h"
#include "autodiff/gradients.h"
#include "core/error.h"
#include "graph/recurrent.h"

namespace downhill {

namespace {

/// Columns [first, first + count) units of a sequence (n, steps, …), of all steps but the last `without`.
Expr columns(Expr x, int64_t units, int64_t first, int64_t count, int64_t without = 0) {
  const Shape& shape = x.shape();
  if (without == 0 && first == 0 && count * units == shape[2]) return x;
  return slice(x, {0, 0, first * units}, {shape[0], shape[1] - without, count * units});
}

/// One state or gradient at one step: (n, units).
Expr at(Expr x, int64_t units, int64_t step, int64_t column) {
  const int64_t n = x.shape()[0];
  return reshape(slice(x, {0, step, column * units}, {n, 1, units}), {n, units});
}

/// Cotangents of the hidden state alone, if d_y is zero elsewhere by construction: what most models ask for.
Expr hidden_alone(Expr d_y, int64_t units) {
  const Node& node = d_y.node();
  if (node.op != Op::pad) return d_y;
  Dims before = node.attrs.ints("before"), after = node.attrs.ints("after");
  const Expr inner{d_y.graph, node.inputs[0]};
  if (before[2] != 0 || inner.shape()[2] != units) return d_y;
  after[2] = 0;
  for (int axis = 0; axis < 2; ++axis)
    if (before[axis] != 0 || after[axis] != 0) return pad(inner, before, after);
  return inner;
}

Op gradient_op(Op op) { return op == Op::lstm ? Op::lstmGrad : op == Op::gru ? Op::gruGrad : Op::simpleRNNGrad; }

/// Hidden states before each step: (n, steps, units).
Expr shifted(const Tangents& t, int64_t units, bool initial) {
  const Shape& shape = t.y.shape();
  const int64_t n = shape[0], steps = shape[1];
  if (steps == 0) return columns(t.y, units, 0, 1);
  const Expr before = slice(t.y, {0, 0, 0}, {n, steps - 1, units});
  const Expr first =
      initial ? reshape(t.x[first_initial(t.node.op)], {n, 1, units})
              : apply(Op::broadcastTo, {{&t.graph, t.graph.scalar(0)}}, Attrs().set("shape", Dims{n, 1, units}));
  return concat({first, before}, 1);
}

}  // namespace

std::vector<Expr> recurrent_gradients(const Tangents& t) {
  const Op op = t.node.op;
  const CellSizes sizes = sizes_of(cell_of(op));
  const int first = first_initial(op);
  const bool initial = has_initial(op, t.node.attrs, static_cast<int>(t.x.size()));
  const int64_t units = t.x[1].shape()[0], n = t.y.shape()[0], steps = t.y.shape()[1], gates = sizes.gates;

  std::vector<Expr> operands{t.y, t.x[1], hidden_alone(t.d_y, units)};
  operands.insert(operands.end(), t.x.begin() + first, t.x.end());
  const Expr all = apply(gradient_op(op), operands, t.node.attrs);
  const Expr recurrent = columns(all, units, 0, gates, initial);
  // Of the input products of gru: as of the recurrent ones, but for the candidate.
  const Expr input =
      op == Op::gru ? concat({columns(all, units, 0, 2, initial), columns(all, units, 3, 1, initial)}, 2) : recurrent;
  const Dims rows{n * steps, units}, gate_rows{n * steps, gates * units};
  std::vector<Expr> result{input};
  const Expr products = reshape(recurrent, gate_rows);
  result.push_back(matmul(reshape(shifted(t, units, initial), rows), products, true, false));
  if (sizes.bias) result.push_back(apply(Op::sum, {products}, Attrs().set("axes", Dims{0})));
  for (int i = 0; initial && i < sizes.carried; ++i) result.push_back(at(all, units, steps, i));
  result.resize(t.x.size());  // none of a mask
  return result;
}

Expr decompose_recurrent(Graph& graph, const Node& node) {
  const Cell cell = cell_of(node.op);
  const CellSizes sizes = sizes_of(cell);
  const auto in = [&](int i) { return Expr{&graph, node.inputs[static_cast<size_t>(i)]}; };
  const Expr states = in(0), kernel = in(1), d = in(2);
  const int count = static_cast<int>(node.inputs.size()), mask = mask_operand(node.attrs, count);
  const bool initial = has_initial(node.op, node.attrs, count);
  const int64_t units = kernel.shape()[0], n = states.shape()[0], steps = states.shape()[1];
  const bool full = d.shape()[2] != units || sizes.states == 1;
  const auto square = [](Expr x) { return apply(Op::square, {x}); };
  const Expr zeros = apply(Op::broadcastTo, {{&graph, graph.scalar(0)}}, Attrs().set("shape", Dims{n, units}));

  Expr d_h = zeros, d_c = zeros;
  std::vector<Expr> gradients(static_cast<size_t>(steps));
  for (int64_t t = steps - 1; t >= 0; --t) {
    const auto s = [&](int64_t i) { return at(states, units, t, i); };
    /// x plus the cotangent of that state.
    const auto with = [&](Expr x, int64_t i) { return full || i == 0 ? x + at(d, units, t, i) : x; };
    const auto before = [&](int i) { return t > 0 ? at(states, units, t - 1, i) : initial ? in(3 + i) : zeros; };
    const Expr step = mask < 0 ? Expr{} : slice(in(mask), {0, t}, {n, 1});
    /// Where the row has the step; else what a masked one gives.
    const auto where = [&](Expr x, Expr masked) { return mask < 0 ? x : apply(Op::where, {step, x, masked}); };
    const Expr dh = with(d_h, 0);
    std::vector<Expr> g;
    Expr rest;
    switch (cell) {
      case Cell::simpleRNN:
        g = {dh * (1.0 - square(s(0)))};
        break;
      case Cell::lstm: {
        const Expr tanh = apply(Op::tanh, {s(1)}), i = s(2), f = s(3), candidate = s(4), o = s(5);
        const Expr dc = with(d_c + dh * o * (1.0 - square(tanh)), 1);
        g = {with(dc * candidate, 2) * i * (1.0 - i), with(dc * before(1), 3) * f * (1.0 - f),
             with(dc * i, 4) * (1.0 - square(candidate)), with(dh * tanh, 5) * o * (1.0 - o)};
        d_c = where(dc * f, with(d_c, 1));
        break;
      }
      case Cell::gru: {
        const Expr z = s(1), r = s(2), candidate = s(3), product = s(4);
        const Expr d_z = with(dh * (before(0) - candidate), 1) * z * (1.0 - z);
        const Expr d_x = with(dh * (1.0 - z), 3) * (1.0 - square(candidate));
        g = {d_z, with(d_x * product, 2) * r * (1.0 - r), with(d_x * r, 4), d_x};
        rest = dh * z;
        break;
      }
    }
    for (Expr& gate : g) gate = where(gate, zeros);
    const std::vector<Expr> recurrent(g.begin(), g.begin() + sizes.gates);
    d_h = matmul(concat(recurrent, 1), kernel, false, true);
    if (mask >= 0) rest = where(rest.id < 0 ? zeros : rest, dh);
    if (rest.id >= 0) d_h = d_h + rest;
    gradients[static_cast<size_t>(t)] = reshape(concat(g, 1), {n, 1, sizes.gradients * units});
  }
  if (initial) {
    const Expr ends = sizes.carried > 1 ? concat({d_h, d_c}, 1) : d_h;
    const Expr last = pad(ends, {0, 0}, {0, (sizes.gradients - sizes.carried) * units});
    gradients.push_back(reshape(last, {n, 1, sizes.gradients * units}));
  }
  if (gradients.empty())
    return apply(Op::broadcastTo, {{&graph, graph.scalar(0)}}, Attrs().set("shape", node.shape.to_vector()));
  return concat(gradients, 1);
}

}  // namespace downhill
