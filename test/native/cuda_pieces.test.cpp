// Arrays of more than 2^31 elements are cut into pieces. Here the limit is 96 elements (and 50 indices), for kernels
// that are compiled into this program.
#define DH_NARROW 96
#include <array>

#include "backend/cuda/kernels/elementwise.cu"
#include "backend/cuda/kernels/indexing.cu"
#include "backend/cuda/kernels/movement.cu"
#include "backend/cuda/kernels/scatter.cu"
#include "op_runner.h"

using namespace downhill;
using namespace downhill::test;
using namespace downhill::cuda;

namespace {

void check_elements(const char* what, const Array& actual, const std::function<double(int64_t)>& expected) {
  expect(what, actual, expected, 0);
}

void elements() {
  for (const auto& [a, b] : {std::pair<Shape, Shape>{{1001}, {1001}},
                             {{30, 25}, {25}},
                             {{7, 3, 40}, {3, 1}},
                             {{5, 300}, {5, 1}},
                             {{500}, {}}}) {
    const Array x = floats(a), y = floats(b);
    Array z = empty(a, DType::float32);
    ElementwiseArgs args{};
    args.op = Op::sub;
    args.nest = collapse(a, {strides_of(a), strides_of(a), broadcast_strides(b, a)});
    void* const at[] = {z.data(), const_cast<void*>(x.data()), const_cast<void*>(y.data())};
    std::copy(std::begin(at), std::end(at), args.at);
    launch_elementwise(args, nullptr);
    check_elements("sub", z, [&, &a = a, &b = b](int64_t i) { return x.f[i] - y.f[position_of(b, index_of(a, i))]; });
  }
}

void copies() {
  struct Case {
    Shape dims;
    std::vector<int64_t> to, from;
  };
  const Case cases[] = {
      {{1001}, {1}, {1}},            // a line
      {{20, 30}, {30, 1}, {1, 20}},  // a transposition in tiles
      {{3, 8, 9}, {72, 9, 1}, {1, 27, 3}},
      {{12, 20}, {40, 1}, {20, 1}},  // into a concat
      {{6, 40}, {40, 1}, {0, 1}},    // broadcasting
  };
  for (const Case& c : cases) {
    const Array x = floats({2000});
    Array y = empty({2000}, DType::float32);
    launch_copy({x.data(), y.data(), collapse(c.dims, {c.to, c.from}), nullptr}, nullptr);
    std::vector<double> expected(2000, std::numeric_limits<double>::quiet_NaN());
    for (int64_t i = 0; i < c.dims.size(); ++i) {
      const std::vector<int64_t> index = index_of(c.dims, i);
      int64_t to = 0, from = 0;
      for (size_t axis = 0; axis < index.size(); ++axis) {
        to += index[axis] * c.to[axis];
        from += index[axis] * c.from[axis];
      }
      expected[static_cast<size_t>(to)] = x.f[static_cast<size_t>(from)];
    }
    check_elements("copy", y, [&](int64_t i) { return expected[static_cast<size_t>(i)]; });
  }
}

void linear() {
  const Array x = floats({777}, -9, 9);
  Array whole = empty({777}, DType::int32);
  launch_cast({x.data(), whole.data(), 777, DType::int32}, nullptr);
  check_elements("cast", whole, [&](int64_t i) { return static_cast<int>(x.f[static_cast<size_t>(i)]); });
}

void rows() {
  for (const auto& [outer, n, count, inner] :
       {std::array<int64_t, 4>{2, 40, 150, 1}, {3, 5, 70, 8}, {300, 4, 2, 3}, {1, 200, 333, 5}}) {
    Array indices = ints({count}, 0, static_cast<int>(n) - 1);
    const Array x = ints({outer, n, inner}), d = floats({outer, count, inner});
    Array y = empty({outer, count, inner}, DType::int32), sums = empty({outer, n, inner}, DType::float32);
    launch_gather({x.data(), indices.i.data(), y.data(), outer, n, count, inner}, nullptr);
    const auto row = [&, n = n, count = count, inner = inner](int64_t i) {
      return (i / (count * inner) * n + indices.i[static_cast<size_t>(i / inner % count)]) * inner + i % inner;
    };
    check_elements("gather", y, [&](int64_t i) { return x.i[static_cast<size_t>(row(i))]; });

    const ScatterScratch sizes(n, count, 50);
    std::vector<uint32_t> scratch(static_cast<size_t>(sizes.words));
    Scatter({indices.i.data(), d.data(), sums.data(), outer, n, count, inner, DType::float32, scratch.data()}, sizes,
            nullptr)
        .run();
    std::vector<float> expected(sums.f.size());
    for (int64_t i = 0; i < d.size(); ++i) expected[static_cast<size_t>(row(i))] += d.f[static_cast<size_t>(i)];
    check_elements("scatterAdd", sums, [&](int64_t i) { return expected[static_cast<size_t>(i)]; });
  }
  for (const int depth : {10, 300}) {
    const Array labels = ints({40}, 0, depth - 1);
    Array y = empty({40, depth}, DType::float32);
    launch_one_hot({labels.i.data(), y.f.data(), 40, depth}, nullptr);
    check_elements("oneHot", y, [&](int64_t i) { return labels.i[static_cast<size_t>(i / depth)] == i % depth; });
  }
}

}  // namespace

int main() {
  elements();
  copies();
  linear();
  rows();
  return report("cuda_pieces");
}
