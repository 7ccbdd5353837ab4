// Reductions and argmax on the emulator beside the CPU: axes, layouts, pieces, types, NaN, alignment, accuracy.
#include "cuda_runner.h"

using namespace downhill;
using namespace downhill::test;

namespace {

constexpr float kInf = std::numeric_limits<float>::infinity(), kNan = std::numeric_limits<float>::quiet_NaN();

/// Shapes and axes that meet every layout and its edges.
struct Case {
  Shape shape;
  std::vector<int64_t> axes;
};
const std::vector<Case> kCases = {
    {{}, {}},  // a scalar
    {{1}, {0}},
    {{7}, {0}},
    {{129, 3}, {1}},  // groups of 1, 4, 16 and 32 threads
    {{33, 13}, {1}},
    {{5, 64}, {1}},
    {{3, 1000}, {1}},
    {{2, 1025}, {1}},  // a block for each row, with and without a rest
    {{3, 2048}, {1}},
    {{2, 4099}, {1}},
    {{20000}, {0}},  // pieces
    {{2, 9001}, {1}},
    {{40, 3}, {0}},  // columns: narrow, of fours, a tile and a bit
    {{70, 5}, {0}},
    {{9, 12}, {0}},
    {{33, 40}, {0}},
    {{65, 33}, {0}},
    {{3, 50, 36}, {1}},
    {{3000, 3}, {0}},  // columns in pieces
    {{1200, 40}, {0}},
    {{2, 700, 6}, {1}},
    {{30, 4, 100}, {1}},  // many short columns
    {{100, 3, 50}, {1}},
    {{4, 5, 6}, {0, 2}},  // in several passes
    {{3, 4, 2, 5}, {0, 2}},
    {{3, 4, 2, 5}, {1, 3}},
    {{2, 3, 2, 3, 2}, {0, 2, 4}},
    {{3, 4, 5}, {0, 1, 2}},
    {{3, 1, 5}, {1}},  // nothing to do
    {{0, 3}, {1}},     // nothing at all
    {{3, 0}, {1}},     // sums of nothing
    {{3, 0, 4}, {1}},
};

Attrs over(const std::vector<int64_t>& axes, bool keep = false) {
  Attrs attrs;
  attrs.set("axes", axes);
  if (keep) attrs.set("keepDims", 1.0);
  return attrs;
}

void all_cases() {
  for (const Case& test : kCases)
    for (const Op op : {Op::sum, Op::max, Op::min}) {
      if (op != Op::sum && test.shape.rank() > 1 && test.shape[1] == 0) continue;
      const std::string what = std::string(name_of(op)) + " of " + test.shape.to_string();
      const Attrs attrs = over(test.axes, test.shape.rank() % 2 == 0);
      const Array x = op == Op::sum ? floats(test.shape, 0.5f, 4) : floats(test.shape),
                  expected = run_on_cpu(op, {x}, attrs), actual = run_on_emulator(op, {x}, attrs);
      if (op == Op::sum)
        expect(what, actual, [&](int64_t i) { return expected[i]; }, 2e-6);
      else
        expect_same(what, actual, expected);
      const Array whole = ints(test.shape, INT32_MIN, INT32_MAX);  // sums wrap around
      expect_same(what + ", int32", run_on_emulator(op, {whole}, attrs), run_on_cpu(op, {whole}, attrs));
    }
}

/// A special value anywhere in a row or column shows in its result alone.
void special_values() {
  for (const Shape& shape : {Shape{4, 10}, Shape{3, 1500}, Shape{2, 9000}, Shape{10, 4}, Shape{1500, 3}, Shape{40, 36}})
    for (const Op op : {Op::sum, Op::max, Op::min})
      for (const int64_t axis : {0, 1})
        for (const float special : {kNan, kInf, -kInf}) {
          Array x = floats(shape);
          x.f[static_cast<size_t>(pick(0, static_cast<int>(shape.size()) - 1))] = special;
          x.f[0] = kNan;
          const Array expected = run_on_cpu(op, {x}, over({axis}));
          expect(std::string(name_of(op)) + " with special values", run_on_emulator(op, {x}, over({axis})),
                 [&](int64_t i) { return expected[i]; });
        }
}

void accuracy() {
  Array x = floats({1000000}, 0, 1);
  double exact = 0;
  for (const float value : x.f) exact += static_cast<double>(value);
  const Array all = run_on_emulator(Op::sum, {x}, over({0}));
  CHECK(std::fabs(all[0] - exact) < 3e-7 * exact, "off by %g of the sum", (all[0] - exact) / exact);
  x.shape = {250000, 4};
  const Array columns = run_on_emulator(Op::sum, {x}, over({0}));
  for (int64_t j = 0; j < 4; ++j) {
    exact = 0;
    for (size_t i = static_cast<size_t>(j); i < x.f.size(); i += 4) exact += static_cast<double>(x.f[i]);
    CHECK(std::fabs(columns[j] - exact) < 3e-7 * exact, "off by %g of the sum", (columns[j] - exact) / exact);
  }
}

/// Where an array lies changes nothing.
void alignment() {
  struct Layout {
    int64_t outer, n, inner;
  };
  for (const Layout& a : {Layout{3, 1500, 1}, Layout{5, 20, 1}, Layout{2, 300, 8}, Layout{3, 40, 5}}) {
    const Array x = floats({a.outer * a.n * a.inner});
    std::vector<Array> results;
    for (const int64_t shift : {0, 1, 3}) {
      DeviceArray from(static_cast<size_t>(x.size() + shift) * 4);
      DeviceArray to(static_cast<size_t>(a.outer * a.inner) * 4);
      std::vector<float> shifted(static_cast<size_t>(shift), kNan);
      shifted.insert(shifted.end(), x.f.begin(), x.f.end());
      const DeviceArray source(shifted.size() * 4, shifted.data());
      cuda::ReduceArgs args{};
      args.x = static_cast<const float*>(source.get()) + shift;
      args.y = to.get();
      args.outer = a.outer, args.n = args.piece = a.n, args.inner = a.inner;
      run_commands({cuda::command(args)});
      results.push_back(empty({a.outer * a.inner}, DType::float32));
      to.download(results.back().data());
      expect_same("at another address", results.back(), results.front());
    }
  }
}

void argmax() {
  for (const Case& test : kCases) {
    for (int axis = 0; axis < test.shape.rank(); ++axis) {
      if (test.shape[axis] == 0) continue;
      Attrs attrs;
      attrs.set("axis", static_cast<double>(axis));
      const std::string what = "argmax of " + test.shape.to_string() + " along " + std::to_string(axis);
      Array x = floats(test.shape);
      for (float& value : x.f) value = std::round(value);  // many equals
      expect_same(what, run_on_emulator(Op::argmax, {x}, attrs), run_on_cpu(Op::argmax, {x}, attrs));
      const Array few = ints(test.shape, -3, 3);
      expect_same(what + ", int32", run_on_emulator(Op::argmax, {few}, attrs), run_on_cpu(Op::argmax, {few}, attrs));
      if (x.size() == 0) continue;
      for (int i = 0; i < 5; ++i)
        x.f[static_cast<size_t>(pick(0, static_cast<int>(x.size()) - 1))] = i < 3 ? kNan : kInf;
      expect_same(what + " with NaN", run_on_emulator(Op::argmax, {x}, attrs), run_on_cpu(Op::argmax, {x}, attrs));
      for (float& value : x.f) value = -kInf;
      expect_same(what + " of -inf", run_on_emulator(Op::argmax, {x}, attrs), run_on_cpu(Op::argmax, {x}, attrs));
    }
  }
}

}  // namespace

int main() {
  all_cases();
  special_values();
  accuracy();
  alignment();
  argmax();
  return report("cuda_reduce");
}
