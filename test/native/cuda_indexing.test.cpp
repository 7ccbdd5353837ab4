// Checks of indices, gather, scatterAdd and oneHot on the emulator, to the bit as on the CPU.
#include "cuda_runner.h"

using namespace downhill;
using namespace downhill::test;

namespace {

void gathers_and_scatters() {
  struct Case {
    Shape x, indices;
    int axis;
  };
  const Case cases[] = {
      {{10, 8}, {5}, 0},        // quads
      {{10, 7}, {2, 3}, 0},     // rows that are not
      {{600}, {1000}, 0},       // single elements
      {{3, 5, 6}, {4}, 1},      // outer and inner
      {{4, 9}, {}, 1},          // one index
      {{2, 300}, {2, 3}, 0},    // more columns than a block has threads
      {{5, 3}, {0}, 0},         // no indices
      {{5, 0}, {4}, 0},         // no columns
      {{0, 5, 3}, {4}, 1},      // nothing at all
      {{70000, 1}, {3000}, 0},  // three digits
  };
  for (const Case& c : cases) {
    const int n = static_cast<int>(c.x[c.axis]);
    for (const DType dtype : {DType::float32, DType::int32}) {
      const Array x = dtype == DType::float32 ? floats(c.x) : ints(c.x, INT32_MIN, INT32_MAX);
      Array indices = ints(c.indices, 0, n - 1);
      expect_as_on_cpu(Op::gather, {x, indices}, Attrs().set("axis", c.axis));
      std::vector<int64_t> dims = c.x.to_vector();
      dims.erase(dims.begin() + c.axis);
      dims.insert(dims.begin() + c.axis, c.indices.begin(), c.indices.end());
      const Array updates = dtype == DType::float32 ? floats(Shape(dims)) : ints(Shape(dims), INT32_MIN, INT32_MAX);
      const Attrs attrs = Attrs().set("axis", c.axis).set("size", n);
      expect_as_on_cpu(Op::scatterAdd, {indices, updates}, attrs);
      for (int32_t& index : indices.i) index = n / 2;  // all in one row: the order of the sum
      expect_as_on_cpu(Op::scatterAdd, {indices, updates}, attrs);
    }
  }
  expect_as_on_cpu(Op::scatterAdd, {ints({0}), floats({0, 3})}, Attrs().set("axis", 0).set("size", 0));
  for (const int64_t count : {1023, 1024, 1025})  // one tile of the sort and a bit
    expect_as_on_cpu(Op::scatterAdd, {ints({count}, 0, 400), floats({count})}, Attrs().set("axis", 0).set("size", 401));
  // A few rows that many indices share, over several tiles of the sort.
  const Array many = ints({5000}, 0, 3);
  expect_as_on_cpu(Op::scatterAdd, {many, floats({5000, 3}, -1e4f, 1e4f)}, Attrs().set("axis", 0).set("size", 300));
}

void one_hots() {
  for (const Shape& shape : {Shape{}, Shape{7}, Shape{3, 50}, Shape{0}})
    for (const int depth : {1, 4, 10})
      expect_as_on_cpu(Op::oneHot, {ints(shape, 0, depth - 1)}, Attrs().set("depth", depth));
}

/// What the step's state says of the op's indices.
cuda::StepState state_after(Op op, const std::vector<Array>& inputs, const Attrs& attrs, cuda::StepState state = {}) {
  run_on_emulator(op, inputs, attrs, state);
  return state;
}

void checks() {
  for (const int size : {1, 5, 3000, 100000})
    for (int round = 0; round < 3; ++round)
      for (const int32_t wrong : {-1, 10, INT32_MAX, INT32_MIN}) {
        Array labels = ints({size}, 0, 9);
        const int first = round == 0 ? 0 : round == 1 ? size - 1 : pick(0, size - 1);
        for (int i = first; i < size; i += 1 + size / 50) labels.i[i] = i == first ? wrong : 11;
        const cuda::StepState state = state_after(Op::oneHot, {labels}, Attrs().set("depth", 10));
        CHECK(state.stopped == static_cast<uint32_t>(cuda::Stop::index_out_of_range) && state.command == 0 &&
                  state.value == wrong && state.where == first,
              "%d labels, the first wrong one %d at %d: %u, %d at %lld", size, wrong, first, state.stopped, state.value,
              static_cast<long long>(state.where));
      }
  cuda::StepState state = state_after(Op::oneHot, {ints({100000}, 0, 9)}, Attrs().set("depth", 10));
  CHECK(state.stopped == 0 && state.where == 0);
  state.stopped = static_cast<uint32_t>(cuda::Stop::non_finite);
  state.value = 5;
  for (const int size : {3, 100000}) {
    const cuda::StepState after = state_after(Op::oneHot, {ints({size}, 99, 99)}, Attrs().set("depth", 10), state);
    CHECK(after.stopped == state.stopped && after.value == 5 && after.where == 0, "the first failure stays");
  }
  // Nothing is read or written through indices that are out of range; the emulator would notice.
  const Array bad = ints({9}, INT32_MIN, INT32_MAX), x = floats({4, 8});
  Array indices = bad;
  indices.i[4] = 2;
  cuda::StepState stopped;
  const Array y = run_on_emulator(Op::gather, {x, indices}, Attrs().set("axis", 0), stopped);
  for (int i = 0; i < 72; ++i) CHECK(y.f[i] == (i / 8 == 4 ? x.f[16 + i % 8] : 0), "element %d", i);
  CHECK(stopped.stopped != 0 && stopped.where == 0);
  for (const int64_t count : {9, 3000}) {
    Array wild = ints({count}, 0, 299);
    std::vector<float> expected(300);
    const Array updates = floats({count});
    for (int64_t i = 0; i < count; ++i) {
      int32_t& index = wild.i[static_cast<size_t>(i)];
      if (i % 3 == 1)
        index = i % 2 == 0 ? index - 65536 : index + 65536;
      else
        expected[static_cast<size_t>(index)] += updates.f[static_cast<size_t>(i)];
    }
    const Array sums = run_on_emulator(Op::scatterAdd, {wild, updates}, Attrs().set("axis", 0).set("size", 300));
    for (size_t i = 0; i < 300; ++i) CHECK(sums.f[i] == expected[i], "sum %zu beside wrong indices", i);
  }
}

}  // namespace

int main() {
  gathers_and_scatters();
  one_hots();
  checks();
  return report("cuda_indexing");
}
