// Softmax and its relatives on the emulator beside the CPU: rows of every kernel's lengths, every axis, extreme and
// special values, labels out of range.
#include "cuda_runner.h"

using namespace downhill;
using namespace downhill::test;

namespace {

constexpr float kInf = std::numeric_limits<float>::infinity(), kNan = std::numeric_limits<float>::quiet_NaN();

// Groups of 1 … 32 threads, whole warps, blocks, and rows that do not fit into registers.
const std::vector<Shape> kRows = {{3, 1},   {9, 2},   {65, 4},   {33, 10},  {5, 33},   {7, 128},  {3, 129},
                                  {2, 512}, {2, 513}, {2, 1000}, {1, 4099}, {2, 8192}, {2, 8193}, {1, 10007}};

struct Inputs {
  Array x, d, targets, labels, d_rows;  // d: like x
};

Inputs inputs_of(const Shape& shape) {
  Inputs in;
  const int64_t n = shape[shape.rank() - 1];
  Shape rows;
  for (int i = 0; i + 1 < shape.rank(); ++i) rows.push_back(shape[i]);
  in.x = floats(shape, -10, 10);
  in.d = floats(shape);
  in.targets = floats(shape, 0, 1);
  for (float& t : in.targets.f) t = pick(0, 2) == 0 ? 0.0f : t / static_cast<float>(n);
  in.labels = ints(rows, 0, static_cast<int>(n) - 1);
  in.d_rows = floats(rows);
  return in;
}

Attrs along(int axis) {
  Attrs attrs;
  attrs.set("axis", static_cast<double>(axis));
  return attrs;
}

void compare(Op op, const std::vector<Array>& inputs, const Attrs& attrs, const char* what, double tolerance = 4e-6) {
  const Array expected = run_on_cpu(op, inputs, attrs), actual = run_on_emulator(op, inputs, attrs);
  CHECK(actual.shape == expected.shape);
  expect(
      std::string(name_of(op)) + " of " + inputs[0].shape.to_string() + what, actual,
      [&](int64_t i) { return expected[i]; }, tolerance);
}

void along_axis(const Array& x, const Array& d, int axis, const char* what) {
  compare(Op::softmax, {x}, along(axis), what);
  compare(Op::logSoftmax, {x}, along(axis), what);
  compare(Op::logSumExp, {x}, Attrs().set("axes", std::vector<int64_t>{axis}), what);
  compare(Op::softmaxGrad, {run_on_cpu(Op::softmax, {x}, along(axis)), d}, along(axis), what);
  // The sum of d_y multiplies a result: rounding of long sums shows.
  compare(Op::logSoftmaxGrad, {run_on_cpu(Op::logSoftmax, {x}, along(axis)), d}, along(axis), what, 2e-5);
}

void cross_entropies(const Inputs& in, const char* what) {
  compare(Op::softmaxCrossEntropy, {in.x, in.targets}, {}, what);
  compare(Op::softmaxCrossEntropyGrad, {in.x, in.targets, in.d_rows}, {}, what);
  compare(Op::sparseSoftmaxCrossEntropy, {in.x, in.labels}, {}, what);
  compare(Op::sparseSoftmaxCrossEntropyGrad, {in.x, in.labels, in.d_rows}, {}, what);
}

void lengths() {
  for (const Shape& shape : kRows) {
    const Inputs in = inputs_of(shape);
    along_axis(in.x, in.d, 1, "");
    cross_entropies(in, "");
  }
  const Inputs cube = inputs_of({3, 4, 5});
  cross_entropies(cube, " with rows of two axes");
  for (const Shape& shape : {Shape{0, 5}, Shape{5, 0, 3}}) {
    const Array x = floats(shape);
    compare(Op::softmax, {x}, along(0), ", empty");
    compare(Op::logSoftmaxGrad, {x, x}, along(1), ", empty");
  }
}

void other_axes() {
  for (const Shape& shape :
       {Shape{5, 3}, Shape{40, 7}, Shape{6, 70}, Shape{3, 9, 5}, Shape{2, 3, 300}, Shape{1200, 2}, Shape{2, 3, 4, 5}})
    for (int axis = 0; axis + 1 < shape.rank(); ++axis)
      along_axis(floats(shape, -10, 10), floats(shape), axis, " along an outer axis");
}

/// Large logits, rows of -inf, NaN and infinities, everywhere in the row.
void special_values() {
  for (const Shape& shape : {Shape{8, 10}, Shape{8, 300}, Shape{8, 2000}, Shape{8, 9000}, Shape{10, 8}}) {
    const int axis = shape[1] == 8 ? 0 : 1;
    const int64_t n = shape[axis], stride = axis == 0 ? 8 : 1, row = axis == 0 ? 1 : n;
    Inputs in = inputs_of(shape);
    const auto at = [&](int64_t r, int64_t j) -> float& { return in.x.f[static_cast<size_t>(r * row + j * stride)]; };
    for (int64_t j = 0; j < n; ++j) {
      at(0, j) *= 1e30f;
      at(1, j) = -kInf;
      at(2, j) = j % 3 == 0 ? -kInf : at(2, j);
      at(3, j) = j < n / 2 ? -kInf : at(3, j);
      at(4, j) = -1e4f + at(4, j);
    }
    at(5, n / 2) = kNan;
    at(6, n - 1) = kInf;
    for (int64_t j = 0; j < n; ++j) at(7, j) = j < n / 2 ? kNan : kInf;
    along_axis(in.x, in.d, axis, " with special values");
    if (axis == 1) cross_entropies(in, " with special values");
  }
}

void labels_out_of_range() {
  Inputs in = inputs_of({6, 10});
  for (const bool gradient : {false, true}) {
    std::vector<Array> operands = {in.x, in.labels};
    if (gradient) operands.push_back(in.d_rows);
    const Op op = gradient ? Op::sparseSoftmaxCrossEntropyGrad : Op::sparseSoftmaxCrossEntropy;
    const Array expected = run_on_cpu(op, operands);
    operands[1].i[2] = 10, operands[1].i[4] = INT32_MIN;
    cuda::StepState state;
    const Array actual = run_on_emulator(op, operands, {}, state);
    CHECK(state.stopped == static_cast<uint32_t>(cuda::Stop::index_out_of_range) && state.value == 10 &&
          state.where == 2);
    for (int64_t i = 0; i < actual.size(); ++i) {
      const int64_t r = gradient ? i / 10 : i;
      if (r != 2 && r != 4) CHECK(std::fabs(actual[i] - expected[i]) < 1e-5, "element %d", static_cast<int>(i));
      if ((r == 2 || r == 4) && !gradient) CHECK(std::isnan(actual[i]), "row %d", static_cast<int>(r));
    }
    operands[1] = in.labels;
    cuda::StepState untouched;
    run_on_emulator(op, operands, {}, untouched);
    CHECK(untouched.stopped == 0);
  }
}

}  // namespace

int main() {
  lengths();
  other_axes();
  special_values();
  labels_out_of_range();
  return report("cuda_rows");
}
