// Normalization of rows on the emulator beside the CPU: rows of every kernel's lengths, one piece and several.
#include "cuda_runner.h"

using namespace downhill;
using namespace downhill::test;

namespace {

// Groups of 1 … 32 threads, whole warps, blocks, and rows that do not fit into registers.
const std::vector<Shape> kRows = {{3, 1},    {300, 2},  {65, 4},    {33, 10},    {5, 33},
                                  {40, 128}, {3, 129},  {20, 512},  {2, 3, 513}, {9, 1000},
                                  {1, 4099}, {2, 8192}, {10, 8193}, {5, 0},      {0, 5}};

Attrs attrs_of(bool scale, bool center = false) {
  Attrs attrs = Attrs().set("epsilon", 0.05);
  if (scale) attrs.set("scale", 1);
  if (center) attrs.set("center", 1);
  return attrs;
}

void compare(Op op, const std::vector<Array>& inputs, const Attrs& attrs, double tolerance) {
  const Array expected = run_on_cpu(op, inputs, attrs), actual = run_on_emulator(op, inputs, attrs);
  CHECK(actual.shape == expected.shape);
  expect(
      std::string(name_of(op)) + " of " + inputs[0].shape.to_string(), actual, [&](int64_t i) { return expected[i]; },
      tolerance);
}

void lengths() {
  for (const Shape& shape : kRows) {
    const Shape row{shape[shape.rank() - 1]};
    const Array x = floats(shape, -2, 6), d_y = floats(shape), gamma = floats(row), beta = floats(row);
    compare(Op::layerNormalization, {x, gamma, beta}, attrs_of(true, true), 4e-6);
    compare(Op::layerNormalization, {x, beta}, attrs_of(false, true), 4e-6);
    compare(Op::rmsNormalization, {x, gamma}, attrs_of(true), 4e-6);
    for (const bool rms : {false, true}) {
      const Op of_x = rms ? Op::rmsNormalizationGrad : Op::layerNormalizationGrad;
      compare(of_x, {x, d_y, gamma}, attrs_of(true), 1e-5);
      compare(of_x, {x, d_y}, attrs_of(false), 1e-5);
      compare(rms ? Op::rmsNormalizationScaleGrad : Op::layerNormalizationScaleGrad, {x, d_y}, attrs_of(false), 2e-5);
    }
  }
}

}  // namespace

int main() {
  lengths();
  return report("cuda_normalization");
}
