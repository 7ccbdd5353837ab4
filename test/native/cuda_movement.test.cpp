// Strided copies, fills, casts and noise on the emulator, to the bit as on the CPU; and how large arrays are cut.
#include "backend/cuda/device/row_tiles.cuh"
#include "cuda_runner.h"

using namespace downhill;
using namespace downhill::test;

namespace {

using Ints = std::vector<int64_t>;

void transposes() {
  const std::pair<Shape, Ints> cases[] = {
      {{}, {}},
      {{5}, {0}},
      {{40, 70}, {1, 0}},
      {{33, 8}, {1, 0}},
      {{7, 50}, {1, 0}},  // too thin for tiles
      {{3, 35, 12}, {0, 2, 1}},
      {{9, 3, 34}, {2, 1, 0}},
      {{2, 9, 10, 3}, {0, 3, 1, 2}},
      {{2, 3, 9, 10}, {0, 2, 3, 1}},
      {{3, 16, 8}, {1, 0, 2}},  // rows of quads
      {{3, 5, 7}, {1, 0, 2}},
      {{0, 5}, {1, 0}},
      {{2, 3, 2, 3, 2, 3, 2, 3}, {7, 5, 3, 1, 6, 4, 2, 0}},
  };
  for (const auto& [shape, order] : cases) {
    expect_as_on_cpu(Op::transpose, {floats(shape)}, Attrs().set("permutation", order));
    expect_as_on_cpu(Op::transpose, {ints(shape)}, Attrs().set("permutation", order));
  }
}

void broadcasts() {
  const std::pair<Shape, Ints> cases[] = {{{}, {3, 4}},     {{1}, {0}},
                                          {{4, 1}, {4, 9}}, {{9}, {4, 9}},
                                          {{8}, {300, 8}},  {{2, 1, 3, 1}, {2, 5, 3, 4}},
                                          {{5, 6}, {5, 6}}, {{2, 1, 8}, {2, 3, 8}}};
  for (const auto& [shape, target] : cases)
    expect_as_on_cpu(Op::broadcastTo, {floats(shape)}, Attrs().set("shape", target));
}

void slices() {
  struct Case {
    Shape shape;
    Ints begin, size;
  };
  const Case cases[] = {
      {{10}, {3}, {4}},
      {{10}, {4}, {4}},
      {{6, 9}, {1, 2}, {4, 5}},
      {{6, 16}, {1, 4}, {5, 8}},
      {{4, 5, 6}, {1, 0, 3}, {2, 5, 1}},
      {{4, 5}, {4, 0}, {0, 5}},
      {{3000}, {8}, {2001}},
      {{3000}, {1}, {2001}},
      {{6, 9}, {0, 0}, {4, 8}},
  };
  for (const Case& c : cases) {
    const Attrs attrs = Attrs().set("begin", c.begin).set("size", c.size);
    expect_as_on_cpu(Op::slice, {ints(c.shape)}, attrs);
  }
}

void concats_and_pads() {
  for (int axis = 0; axis < 3; ++axis) {
    std::vector<Array> parts;
    for (int64_t size : {3, 1, 0, 8}) {
      Shape shape{2, 4, 5};
      shape[axis] = size;
      parts.push_back(floats(shape));
    }
    expect_as_on_cpu(Op::concat, parts, Attrs().set("axis", axis));
  }
  expect_as_on_cpu(Op::concat, {ints({6, 8}), ints({6, 4})}, Attrs().set("axis", 1));
  struct Case {
    Shape shape;
    Ints before, after;
  };
  const Case cases[] = {
      {{5}, {2}, {3}}, {{3, 4}, {1, 0}, {0, 2}},         {{3, 8}, {2, 4}, {1, 8}}, {{2, 0}, {1, 1}, {1, 1}},
      {{}, {}, {}},    {{2, 3, 4}, {0, 0, 0}, {0, 0, 0}}};
  for (const Case& c : cases)
    expect_as_on_cpu(Op::pad, {floats(c.shape)}, Attrs().set("before", c.before).set("after", c.after));
}

void same_elements() {
  for (const Shape& shape : {Shape{}, Shape{1}, Shape{1023}, Shape{1024}, Shape{1025}, Shape{3, 700}, Shape{0}})
    for (const Op op : {Op::identity, Op::stopGradient}) expect_as_on_cpu(op, {floats(shape)});
  expect_as_on_cpu(Op::reshape, {floats({6, 4})}, Attrs().set("shape", Ints{3, 8}));
}

void casts() {
  const float inf = std::numeric_limits<float>::infinity(), nan = std::numeric_limits<float>::quiet_NaN();
  Array x = floats({1033}, -1e3f, 1e3f);
  const float specials[] = {0.9f,  -0.9f, 2147483520.0f, 2147483648.0f, -2147483648.0f, -2147483904.0f,
                            3e38f, inf,   -inf,          nan,           -0.0f,          1e-42f};
  std::copy(std::begin(specials), std::end(specials), x.f.begin());
  Array n = ints({77}, INT32_MIN, INT32_MAX);
  for (const DType to : {DType::float32, DType::int32})
    for (const Array& in : {x, n, floats({0}), ints({})})
      expect_as_on_cpu(Op::cast, {in}, Attrs().set("dtype", static_cast<double>(to)));
}

void noise() {
  for (const Op op : {Op::dropout, Op::gaussianDropout, Op::gaussianNoise})
    for (const double amount : {0.0, 0.3, 0.999})
      for (const Shape& shape : {Shape{}, Shape{5}, Shape{33, 70}, Shape{0}}) {
        const Array x = floats(shape);
        const char* const name = op == Op::gaussianNoise ? "stddev" : "rate";
        const Attrs attrs = Attrs().set(name, amount).set("key", 123456789012.0);
        cuda::StepState state;
        state.counter = (uint64_t{7} << 32) + 41;
        expect_same(name_of(op), run_on_emulator(op, {x}, attrs, state), run_on_cpu(op, {x}, attrs, state.counter));
      }
}

Array copied(const Array& from, const cuda::StepState* state, int shift_from, int shift_to) {
  const int n = static_cast<int>(from.size()) - 8;
  Array result = empty(from.shape, DType::float32);
  const DeviceArray x(static_cast<size_t>(from.size()) * 4, from.data()),
      y(static_cast<size_t>(from.size()) * 4, result.data()), there(sizeof(cuda::StepState), state);
  cuda::CopyArgs args{};
  args.from = static_cast<float*>(x.get()) + shift_from;
  args.to = static_cast<float*>(y.get()) + shift_to;
  args.nest = collapse({n}, {{1}, {1}});
  args.unless_stopped = state ? static_cast<const cuda::StepState*>(there.get()) : nullptr;
  run_commands({command(args)});
  y.download(result.data());
  return result;
}

void state_writes() {
  for (const int64_t size : {8 + 1, 8 + 1500, 8 + 4096}) {
    const Array x = floats({size});
    cuda::StepState state;
    for (int shift = 0; shift < 4; ++shift) {
      for (const Array& y :
           {copied(x, nullptr, 0, shift), copied(x, &state, 4, shift), copied(x, &state, 3, 4 + shift)})
        CHECK(y.f.size() == x.f.size());
      const Array y = copied(x, &state, 4, shift);
      for (int64_t i = 0; i < size; ++i) {
        const int64_t j = i - shift;
        CHECK(j >= 0 && j < size - 8 ? y.f[i] == x.f[j + 4] : y.f[i] != y.f[i], "copy of %lld shifted by %d: %lld",
              static_cast<long long>(size), shift, static_cast<long long>(i));
      }
    }
    state.stopped = static_cast<uint32_t>(cuda::Stop::non_finite);
    for (const float y : copied(x, &state, 0, 0).f) CHECK(y != y, "nothing is copied in a failed step");
  }
}

void fills() {
  for (int shift = 0; shift < 4; ++shift) {
    const Array nothing = empty({1500}, DType::int32);
    Array result = nothing;
    const DeviceArray y(6000, nothing.data());
    run_commands({command(cuda::FillArgs{static_cast<int32_t*>(y.get()) + shift, 1490, 42}),
                  command(cuda::FillArgs{y.get(), 0, 43})});
    y.download(result.data());
    for (int i = 0; i < 1500; ++i) CHECK(result.i[i] == (i >= shift && i < 1490 + shift ? 42 : -77), "fill %d", i);
  }
}

// -- large arrays -------------------------------------------------------------------------------------------------
void fast_division() {
  const uint32_t most = (1u << 31) - 1;
  for (const uint32_t divisor : {1u, 2u, 3u, 5u, 7u, 10u, 641u, 784u, 1000u, 65535u, 65536u, 65537u, 1000003u,
                                 (1u << 30) - 1, 1u << 30, (1u << 30) + 1, most}) {
    const cuda::FastDivide divide(divisor);
    for (uint32_t i = 0; i < 2000; ++i) {
      const uint32_t random = static_cast<uint32_t>(generator()()) & most;
      const uint64_t near = uint64_t{divisor} * (random / divisor);
      for (const uint64_t x : {uint64_t{i}, uint64_t{most} - i, uint64_t{random}, near, near + divisor - 1, near - 1})
        if (x <= most)
          CHECK(divide(static_cast<uint32_t>(x)) == x / divisor, "%llu / %u", static_cast<unsigned long long>(x),
                divisor);
    }
  }
  CHECK(cuda::FastDivide(1u << 31)(most) == 0);
}

/// Pieces of a nest cover it, in order, and are small enough.
void pieces() {
  const Nest nests[] = {
      collapse({5000}, {{1}, {1}}),
      collapse({40, 30, 7}, {{210, 7, 1}, {0, 1, 0}}),
      collapse({3, 50}, {{100000, 1}, {50, 1}}),
      collapse({2, 3, 4}, {{12, 4, 1}, {1000, 0, 2000}}),
      collapse({}, {{}, {}}),
  };
  cuda::for_narrow(collapse({0, 5}, {{5, 1}, {5, 1}}),
                   [](const Nest&, const cuda::PieceOffsets&) { CHECK(false, "nothing has no pieces"); });
  for (const Nest& nest : nests) {
    int64_t at = 0;
    Walk whole(nest, 0, 0);
    cuda::for_narrow(
        nest,
        [&](const Nest& piece, const cuda::PieceOffsets& begin) {
          CHECK(cuda::is_narrow(piece, 100) || piece.size() == 1);
          Walk walk(piece, 0, 0);
          for (int64_t i = 0; i < piece.size(); ++i, ++at, walk.next(), whole.next())
            for (int k = 0; k < nest.operands; ++k)
              CHECK(walk.offset(k) + begin.of[k] == whole.offset(k), "element %lld", static_cast<long long>(at));
        },
        100);
    CHECK(at == nest.size(), "%lld of %lld elements", static_cast<long long>(at), static_cast<long long>(nest.size()));
  }
  for (const auto& [outer, count] :
       {std::pair<int64_t, int64_t>{3, 25}, {30, 25}, {3, 100}, {2, 250}, {0, 9}, {9, 0}}) {
    std::vector<int> seen(static_cast<size_t>(outer * count));
    cuda::for_row_pieces(
        outer, count,
        [&, width = count](int64_t o, int64_t rows, int64_t i, int64_t columns) {
          CHECK(rows * columns <= 100 && (rows == 1 || columns == width));
          for (int64_t r = o; r < o + rows; ++r)
            for (int64_t c = i; c < i + columns; ++c) ++seen[static_cast<size_t>(r * width + c)];
        },
        100);
    for (const int times : seen) CHECK(times == 1);
  }
}

}  // namespace

int main() {
  transposes();
  broadcasts();
  slices();
  concats_and_pads();
  same_elements();
  casts();
  noise();
  state_writes();
  fills();
  fast_division();
  pieces();
  return report("cuda_movement");
}
