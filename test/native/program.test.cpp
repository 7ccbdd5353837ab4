// Movement and indexing steps, and what a program promises: state writes, snapshots, errors, no allocation.
#include <algorithm>

#include "core/philox.h"
#include "op_runner.h"

using namespace downhill;
using namespace downhill::test;

namespace {

using Ints = std::vector<int64_t>;

std::shared_ptr<Storage> storage_of(const Array& a) {
  auto storage = std::make_shared<Storage>();
  storage->buffer = std::make_shared<Buffer>(static_cast<size_t>(a.size()) * 4);
  storage->bytes = storage->buffer->bytes();
  if (storage->bytes) std::memcpy(storage->data(), a.data(), storage->bytes);
  return storage;
}

/// Runs f and returns "CODE: message" of the error it must throw.
template <typename F>
std::string error_of(F f) {
  try {
    f();
  } catch (const Error& error) {
    return std::string(error.code()) + ": " + error.what();
  }
  return "no error";
}

void copies() {
  for (int round = 0; round < 40; ++round) {
    const Shape shape = round == 0   ? Shape{300, 500}
                        : round == 1 ? Shape{7, 0, 3}
                        : round == 2 ? Shape{20, 30, 40}
                                     : random_shape(5, 9);
    const Array x = pick(0, 1) ? floats(shape) : ints(shape);
    const int rank = shape.rank();
    Ints order, begin, size, before, after, target = shape.to_vector();
    for (int i = 0; i < rank; ++i) {
      order.push_back(i);
      begin.push_back(shape[i] ? pick(0, static_cast<int>(shape[i]) - 1) : 0);
      size.push_back(pick(0, 3) ? pick(0, static_cast<int>(shape[i] - begin[i])) : -1);
      before.push_back(pick(0, 2)), after.push_back(pick(0, 2));
    }
    std::shuffle(order.begin(), order.end(), generator());
    const Array t = run_op(Op::transpose, {x}, Attrs().set("permutation", order));
    expect(
        "transpose", t,
        [&](int64_t i) {
          const Ints to = index_of(t.shape, i);
          Ints from(to.size());
          for (int k = 0; k < rank; ++k) from[order[k]] = to[k];
          return x[position_of(shape, from)];
        },
        0);
    const Array s = run_op(Op::slice, {x}, Attrs().set("begin", begin).set("size", size));
    expect(
        "slice", s,
        [&](int64_t i) {
          Ints index = index_of(s.shape, i);
          for (int k = 0; k < rank; ++k) index[k] += begin[k];
          int64_t at = 0;
          for (int k = 0; k < rank; ++k) at = at * shape[k] + index[k];
          return x[at];
        },
        0);
    const Array p = run_op(Op::pad, {x}, Attrs().set("before", before).set("after", after));
    expect(
        "pad", p,
        [&](int64_t i) {
          const Ints index = index_of(p.shape, i);
          int64_t at = 0;
          for (int k = 0; k < rank; ++k) {
            if (index[k] < before[k] || index[k] >= before[k] + shape[k]) return 0.0;
            at = at * shape[k] + index[k] - before[k];
          }
          return x[at];
        },
        0);
    for (int64_t& dim : target)
      if (dim == 1) dim = pick(1, 5);
    target.insert(target.begin(), pick(1, 3));
    const Array b = run_op(Op::broadcastTo, {x}, Attrs().set("shape", target));
    expect("broadcastTo", b, [&](int64_t i) { return x[position_of(shape, index_of(b.shape, i))]; }, 0);
    if (rank == 0) continue;
    const int axis = pick(0, rank - 1);
    Shape other = shape;
    other[axis] = pick(0, 6);
    const Array y = x.dtype == DType::float32 ? floats(other) : ints(other);
    const Array c = run_op(Op::concat, {x, y, x}, Attrs().set("axis", axis));
    expect(
        "concat", c,
        [&](int64_t i) {
          Ints index = index_of(c.shape, i);
          int64_t& at = index[axis];
          const bool second = at >= shape[axis] && at < shape[axis] + other[axis];
          if (second)
            at -= shape[axis];
          else if (at >= shape[axis])
            at -= shape[axis] + other[axis];
          return second ? y[position_of(other, index)] : x[position_of(shape, index)];
        },
        0);
  }
}

void conversions() {
  Array x = floats({1000}, -100, 100);
  const float special[] = {3e9f, -3e9f, NAN, 2147483520.0f, -2147483648.0f, -0.9f, INFINITY, -INFINITY};
  std::copy(std::begin(special), std::end(special), x.f.begin());
  const double limits[] = {2147483647.0, -2147483648.0, 0, 2147483520.0, -2147483648.0, 0, 2147483647.0, -2147483648.0};
  expect(
      "cast to int32", run_op(Op::cast, {x}, Attrs().set("dtype", 1)),
      [&](int64_t i) { return i < 8 ? limits[i] : std::trunc(x[i]); }, 0);
  const Array n = ints({20000});
  expect("cast to float32", run_op(Op::cast, {n}, Attrs().set("dtype", 0)), [&](int64_t i) { return n[i]; }, 0);
}

void indexing() {
  for (int round = 0; round < 30; ++round) {
    Shape shape = round == 0 ? Shape{100, 200} : random_shape(3, 8);
    if (shape.rank() == 0) shape = {3};
    const int axis = pick(0, shape.rank() - 1), n = static_cast<int>(shape[axis]);
    const Shape where = random_shape(2, 5);
    const Array x = pick(0, 1) ? floats(shape) : ints(shape), at = ints(where, 0, n - 1);
    int64_t inner = 1;
    for (int i = axis + 1; i < shape.rank(); ++i) inner *= shape[i];
    const int64_t count = where.size();
    const Array y = run_op(Op::gather, {x, at}, Attrs().set("axis", axis));
    expect(
        "gather", y,
        [&](int64_t i) { return x[(i / inner / count * n + at.i[i / inner % count]) * inner + i % inner]; }, 0);
    const Array z = run_op(Op::scatterAdd, {at, y}, Attrs().set("axis", axis).set("size", n));
    std::vector<double> expected(static_cast<size_t>(x.size()), 0);
    for (int64_t i = 0; i < y.size(); ++i)
      expected[(i / inner / count * n + at.i[i / inner % count]) * inner + i % inner] += y[i];
    expect("scatterAdd", z, [&](int64_t i) { return expected[i]; }, 1e-5);
    expect(
        "oneHot", run_op(Op::oneHot, {at}, Attrs().set("depth", n + 1)),
        [&](int64_t i) { return at.i[i / (n + 1)] == i % (n + 1); }, 0);
  }
}

void bad_indices() {
  Array x = floats({4, 3}), at = ints({5}, 0, 2);
  const auto message = [&](Op op, const std::vector<Array>& in, const Attrs& attrs) {
    return error_of([&] { run_op(op, in, attrs); });
  };
  at.i[3] = 3;
  const std::string gather = message(Op::gather, {x, at}, Attrs().set("axis", 1));
  CHECK(gather == "OUT_OF_RANGE: gather: index 3 at position 3 is out of range; expected 0 to 2.", "%s",
        gather.c_str());
  at.i[3] = -1;
  CHECK(message(Op::scatterAdd, {at, floats({5})}, Attrs().set("axis", 0).set("size", 9))
            .find("index -1 at position 3") != std::string::npos);
  CHECK(message(Op::oneHot, {at}, Attrs().set("depth", 3))
            .rfind("LABEL_OUT_OF_RANGE: oneHot: label -1 at position 3", 0) == 0);
  Array labels = ints({4}, 0, 2);
  labels.i[0] = INT32_MAX;
  CHECK(message(Op::sparseSoftmaxCrossEntropy, {x, labels}, {}).rfind("LABEL_OUT_OF_RANGE: ", 0) == 0);
  CHECK(message(Op::sparseSoftmaxCrossEntropyGrad, {x, labels, floats({4})}, {}).rfind("LABEL_OUT_OF_RANGE: ", 0) == 0);
}

void dropout() {
  const Array x = floats({3, 7001}, 1, 2);
  const Attrs attrs = Attrs().set("rate", 0.25).set("key", 123456789012345.0);
  const Array y = run_op(Op::dropout, {x}, attrs, 77);
  int64_t dropped = 0;
  expect("dropout", y, [&](int64_t i) {
    const auto r = DH_ISA::philox(uint64_t{123456789012345}, 77, static_cast<uint64_t>(i / 4));
    const bool keep = DH_ISA::uniform(r.v[i % 4]) >= 0.25f;
    dropped += !keep;
    return keep ? x[i] / 0.75 : 0;
  });
  CHECK(std::fabs(static_cast<double>(dropped) / y.size() - 0.25) < 0.01);
  const Array z = run_op(Op::dropout, {x}, attrs, 78);
  CHECK(z.f != y.f, "another step, another mask");
}

/// A counter c and a label l: outputs c · 2, writes c ← c + 1 after a cross-entropy that checks l.
void state() {
  Array logits = floats({1, 3}), label = ints({1}, 1, 1), start = floats({2}, 5, 5);
  const std::shared_ptr<Storage> counter = storage_of(start);
  Graph graph;
  const NodeId x = graph.input({1, 3}, DType::float32), l = graph.input({1}, DType::int32),
               c = graph.variable(counter, {2}, DType::float32, "counter");
  PlanOptions options;
  options.outputs = {graph.add(Op::mul, {c, graph.scalar(2)}), graph.add(Op::sparseSoftmaxCrossEntropy, {x, l})};
  options.writes = {{counter, graph.add(Op::add, {c, graph.scalar(1)})}};
  const std::unique_ptr<Program> program = cpu::compile(make_plan(graph, options));
  float doubled[2] = {}, loss[1] = {};
  void* outputs[] = {doubled, loss};
  const void* inputs[] = {logits.data(), label.data()};
  Workspace workspace;
  Bindings bindings;
  bindings.inputs = inputs, bindings.outputs = outputs, bindings.workspace = &workspace;
  program->run(bindings);
  const int64_t allocations = Buffer::total_allocations();
  program->run(bindings);
  CHECK(Buffer::total_allocations() == allocations, "a second run allocates nothing");
  const float* value = reinterpret_cast<const float*>(counter->data());
  CHECK(doubled[1] == 12 && value[1] == 7, "%g %g", doubled[1], value[1]);
  label.i[0] = 3;
  CHECK(error_of([&] { program->run(bindings); }).find("label 3 at position 0") != std::string::npos);
  CHECK(value[0] == 7, "nothing is written by a run that fails");
  label.i[0] = 0;
  bindings.commit = false;
  program->run(bindings);
  CHECK(doubled[0] == 14 && value[0] == 7, "state waits for commit()");
  program->commit();
  CHECK(value[0] == 8);
  bindings.commit = true;
  const float snapshot[16] = {100, 200};
  bindings.rebase_from = counter->buffer.get();
  bindings.rebase_to = reinterpret_cast<const std::byte*>(snapshot);
  program->run(bindings);
  CHECK(doubled[0] == 200 && doubled[1] == 400, "reads go to the snapshot");
}

void instruction_sets() {
  CHECK(error_of([] { cpu::select_isa("sse9"); }).rfind("UNKNOWN_NAME: ", 0) == 0);
  for (const std::string& isa : cpu::available_isas()) {
    cpu::select_isa(isa);
    CHECK(isa == cpu::isa());
    std::printf("tested on %s\n", isa.c_str());
  }
}

}  // namespace

int main() {
  instruction_sets();
  copies();
  conversions();
  indexing();
  bad_indices();
  dropout();
  state();
  return report("program");
}
