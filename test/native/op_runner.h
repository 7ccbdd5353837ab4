// Runs one op through graph, plan and program on every instruction set and at 1, 2 and 3 threads.
#pragma once
#include <cmath>
#include <cstring>
#include <functional>
#include <limits>
#include <random>
#include <string>
#include <vector>

#include "backend/backend.h"
#include "backend/cpu/pool.h"
#include "check.h"
#include "core/error.h"
#include "graph/graph.h"

namespace downhill::test {

struct Array {
  Shape shape;
  DType dtype = DType::float32;
  std::vector<float> f;
  std::vector<int32_t> i;
  const void* data() const { return dtype == DType::float32 ? static_cast<const void*>(f.data()) : i.data(); }
  void* data() { return dtype == DType::float32 ? static_cast<void*>(f.data()) : i.data(); }
  double operator[](int64_t at) const { return dtype == DType::float32 ? static_cast<double>(f[at]) : i[at]; }
  int64_t size() const { return shape.size(); }
};

inline Array empty(const Shape& shape, DType dtype) {
  Array a{shape, dtype, {}, {}};
  if (dtype == DType::float32)
    a.f.assign(static_cast<size_t>(shape.size()), std::numeric_limits<float>::quiet_NaN());
  else
    a.i.assign(static_cast<size_t>(shape.size()), -77);
  return a;
}

inline std::mt19937& generator() {
  static std::mt19937 random(20240607);
  return random;
}
inline int pick(int low, int high) { return std::uniform_int_distribution<int>(low, high)(generator()); }

inline Array floats(const Shape& shape, float low = -4, float high = 4) {
  Array a = empty(shape, DType::float32);
  std::uniform_real_distribution<float> uniform(low, high);
  for (float& x : a.f) x = uniform(generator());
  return a;
}
inline Array ints(const Shape& shape, int low = -50, int high = 50) {
  Array a = empty(shape, DType::int32);
  for (int32_t& x : a.i) x = pick(low, high);
  return a;
}
inline Shape random_shape(int max_rank = 4, int max_dim = 7) {
  std::vector<int64_t> dims(static_cast<size_t>(pick(0, max_rank)));
  for (int64_t& dim : dims) dim = pick(1, max_dim);
  return Shape(dims);
}

/// A program of one op over inputs of these shapes.
inline std::unique_ptr<Program> program_of(Op op, const std::vector<Array>& inputs, const Attrs& attrs) {
  Graph graph;
  std::vector<NodeId> ids;
  for (const Array& input : inputs) ids.push_back(graph.input(input.shape, input.dtype));
  PlanOptions options;
  options.outputs = {graph.add(op, ids, attrs)};
  return cpu::compile(make_plan(graph, options));
}

inline Array run_program(Program& program, const std::vector<Array>& inputs, uint64_t step) {
  const Value& out = program.plan().values[program.plan().outputs[0]];
  Array result = empty(out.shape, out.dtype);
  std::vector<const void*> in;
  for (const Array& input : inputs) in.push_back(input.data());
  void* outputs[] = {result.data()};
  Workspace workspace;
  Bindings bindings;
  bindings.inputs = in.data();
  bindings.outputs = outputs;
  bindings.workspace = &workspace;
  bindings.step = step;
  program.run(bindings);
  return result;
}

/// The result, after checking that it is the same to the bit for every number of threads and, but for products of
/// matrices, on every instruction set.
inline Array run_op(Op op, const std::vector<Array>& inputs, const Attrs& attrs = {}, uint64_t step = 0) {
  Array first;
  bool have = false;
  for (const std::string& isa : cpu::available_isas()) {
    cpu::select_isa(isa);
    const std::unique_ptr<Program> program = program_of(op, inputs, attrs);
    if (op == Op::matmul) have = false;
    for (int threads = 1; threads <= 3; ++threads) {
      cpu::set_threads(threads);
      Array result = run_program(*program, inputs, step);
      if (have) {
        int64_t differs = -1;
        for (int64_t i = 0; i < result.size() && differs < 0; ++i)
          if (std::memcmp(static_cast<const char*>(result.data()) + 4 * i,
                          static_cast<const char*>(first.data()) + 4 * i, 4) != 0 &&
              !(std::isnan(result[i]) && std::isnan(first[i])))
            differs = i;
        CHECK(differs < 0, "%s on %s with %d threads: element %lld is %.9g, was %.9g", name_of(op), isa.c_str(),
              threads, static_cast<long long>(differs), result[differs], first[differs]);
      }
      first = std::move(result);
      have = true;
    }
  }
  return first;
}

inline bool same_bits(const Array& a, const Array& b) {
  for (int64_t i = 0; i < a.size(); ++i)
    if (std::memcmp(static_cast<const char*>(a.data()) + 4 * i, static_cast<const char*>(b.data()) + 4 * i, 4) != 0 &&
        !(std::isnan(a[i]) && std::isnan(b[i])))
      return false;
  return true;
}

/// All outputs of a plan, after two runs.
inline std::vector<Array> run_plan(Plan plan, const std::vector<Array>& inputs, uint64_t step) {
  const std::unique_ptr<Program> program = cpu::compile(std::move(plan));
  std::vector<const void*> in;
  for (const Array& input : inputs) in.push_back(input.data());
  std::vector<Array> results;
  for (int output : program->plan().outputs) {
    const Value& value = program->plan().values[static_cast<size_t>(output)];
    results.push_back(empty(value.shape, value.dtype));
  }
  std::vector<void*> out;
  for (Array& result : results) out.push_back(result.data());
  Workspace workspace;
  Bindings bindings;
  bindings.inputs = in.data(), bindings.outputs = out.data(), bindings.workspace = &workspace, bindings.step = step;
  program->run(bindings);
  program->run(bindings);  // nothing of the first run is left that the second reads
  return results;
}

/// Checks every element against reference(position) in double.
inline void expect(const std::string& what, const Array& actual, const std::function<double(int64_t)>& reference,
                   double tolerance = 2e-6) {
  for (int64_t i = 0; i < actual.size(); ++i) {
    const double expected = reference(i), value = actual[i];
    const bool same = std::isnan(expected) ? std::isnan(value)
                      : std::isinf(static_cast<float>(expected))
                          ? value == static_cast<double>(static_cast<float>(expected))
                          : std::fabs(value - expected) <= tolerance * (1 + std::fabs(expected));
    if (same) continue;
    CHECK(same, "%s, shape %s: element %lld is %.9g, expected %.9g", what.c_str(), actual.shape.to_string().c_str(),
          static_cast<long long>(i), value, expected);
    return;
  }
}

/// Position in row-major order → index along each axis, and back.
inline std::vector<int64_t> index_of(const Shape& shape, int64_t position) {
  std::vector<int64_t> index(static_cast<size_t>(shape.rank()));
  for (int axis = shape.rank(); axis-- > 0; position /= shape[axis]) index[axis] = position % shape[axis];
  return index;
}
/// Position in `shape` of an index into an array that `shape` broadcasts to.
inline int64_t position_of(const Shape& shape, const std::vector<int64_t>& index) {
  int64_t position = 0;
  const int missing = static_cast<int>(index.size()) - shape.rank();
  for (int axis = 0; axis < shape.rank(); ++axis)
    position = position * shape[axis] + (shape[axis] == 1 ? 0 : index[axis + missing]);
  return position;
}

}  // namespace downhill::test
