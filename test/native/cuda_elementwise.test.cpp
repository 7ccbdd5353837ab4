// Every elementwise row on the emulator, to the bit as on the CPU: types, shapes, broadcasting, alignment, and in
// place.
#include "cuda_runner.h"

using namespace downhill;
using namespace downhill::test;

namespace {

constexpr float kInf = std::numeric_limits<float>::infinity(), kNan = std::numeric_limits<float>::quiet_NaN();

Array with_specials(Array a) {
  const float specials[] = {0.0f,   -0.0f,  1.0f,    -1.0f, 1e-30f, 1e-42f, 30.0f,
                            -30.0f, 100.0f, -100.0f, 3e38f, kInf,   -kInf,  kNan};
  for (size_t i = 0; i < std::size(specials) && i < a.f.size(); ++i) a.f[i] = specials[i];
  return a;
}

Array some(const Shape& shape, DType dtype) {
  if (dtype == DType::float32) return with_specials(floats(shape));
  Array a = ints(shape, -5, 5);
  const int32_t specials[] = {INT32_MIN, INT32_MAX, 0, -1};
  for (size_t i = 0; i < std::size(specials) && i < a.i.size(); ++i) a.i[i] = specials[i];
  return a;
}

Attrs attrs_of(Op op) {
  Attrs attrs;
  const std::string names = row_of(op).attributes;
  if (names.find("low") != std::string::npos) attrs.set("low", -0.5).set("high", 1.5);
  if (names.find("alpha") != std::string::npos) attrs.set("alpha", 0.3);
  if (names.find("approximate") != std::string::npos) attrs.set("approximate", pick(0, 1));
  return attrs;
}

/// Shapes that broadcast to one, for operands of a row.
std::vector<Shape> broadcasting(int operands, int round) {
  const std::vector<std::vector<Shape>> chosen = {
      {{}, {}, {}},
      {{1027}, {1027}, {1027}},
      {{3, 8}, {8}, {3, 1}},
      {{5, 7}, {7}, {5, 1}},
      {{}, {33}, {33}},
      {{2, 1, 4}, {3, 1}, {2, 3, 4}},
      {{4, 1, 6}, {5, 1}, {1}},
      {{2, 3, 4, 8}, {3, 1, 8}, {4, 1}},
      {{0, 4}, {4}, {1}},
      {{2, 1, 2, 1, 2, 1, 2, 3}, {1, 2, 1, 2, 1, 2, 1, 3}, {3}},
  };
  std::vector<Shape> shapes(chosen[static_cast<size_t>(round) % chosen.size()]);
  shapes.resize(static_cast<size_t>(operands));
  if (operands == 2 && round % 2 == 1) std::swap(shapes[0], shapes[1]);
  return shapes;
}

void every_row() {
  for (int i = 0; i < kOpCount; ++i) {
    const Op op = static_cast<Op>(i);
    if (!is_elementwise(op)) continue;
    for (int round = 0; round < 10; ++round)
      for (const DType dtype : {DType::float32, DType::int32}) {
        if (dtype == DType::int32 && row_of(op).types == OpTypes::F) continue;
        std::vector<Array> inputs;
        for (const Shape& shape : broadcasting(row_of(op).arity, round)) inputs.push_back(some(shape, dtype));
        expect_as_on_cpu(op, inputs, attrs_of(op));
      }
  }
}

/// A command over memory that the caller chooses.
cuda::ElementwiseArgs args_of(Op op, DType dtype, const Shape& out, const std::vector<Shape>& in,
                              const std::vector<void*>& at) {
  cuda::ElementwiseArgs args{};
  args.op = op;
  args.dtype = dtype;
  std::vector<std::vector<int64_t>> strides{strides_of(out)};
  for (const Shape& shape : in) strides.push_back(broadcast_strides(shape, out));
  args.nest = collapse(out, strides);
  for (size_t i = 0; i < at.size(); ++i) args.at[i] = at[i];
  return args;
}

void any_alignment() {
  const Array a = floats({70}), b = floats({70});
  for (int shift_a = 0; shift_a < 4; ++shift_a)
    for (int shift_out = 0; shift_out < 4; ++shift_out) {
      const DeviceArray x(70 * 4, a.data()), y(70 * 4, b.data()), z(70 * 4, b.data());
      const auto from = [](const DeviceArray& array, int shift) { return static_cast<float*>(array.get()) + shift; };
      run_commands({command(args_of(Op::sub, DType::float32, {3, 20}, {{3, 20}, {20}},
                                    {from(z, shift_out), from(x, shift_a), from(y, 3 - shift_a)}))});
      Array result = empty({70}, DType::float32);
      z.download(result.data());
      for (int i = 0; i < 70; ++i) {
        const int j = i - shift_out;
        const float expected = j < 0 || j >= 60 ? b.f[i] : a.f[j + shift_a] - b.f[j % 20 + 3 - shift_a];
        CHECK(result.f[i] == expected, "shifts %d %d, element %d", shift_a, shift_out, i);
      }
    }
}

void in_place() {
  const Array a = floats({6, 10}), b = floats({10});
  const DeviceArray x(60 * 4, a.data()), y(10 * 4, b.data());
  run_commands({command(args_of(Op::mul, DType::float32, {6, 10}, {{6, 10}, {10}}, {x.get(), x.get(), y.get()}))});
  Array result = empty({6, 10}, DType::float32);
  x.download(result.data());
  expect_same("in place", result, run_on_cpu(Op::mul, {a, b}));
}

}  // namespace

int main() {
  every_row();
  any_alignment();
  in_place();
  return report("cuda_elementwise");
}
