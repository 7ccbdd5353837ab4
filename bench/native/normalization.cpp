// Normalization of rows and its gradients beside a copy in the same process: microseconds, GB/s of what must be read and
// written, medians of rounds that alternate.
#include <algorithm>
#include <chrono>
#include <cstdio>
#include <cstring>
#include <memory>
#include <vector>

#include "autodiff/gradients.h"
#include "backend/backend.h"
#include "backend/cpu/pool.h"
#include "graph/graph.h"

using namespace downhill;

namespace {

struct Contender {
  const char* name;
  double bytes;
  std::unique_ptr<Program> program;
  Workspace workspace;
  std::vector<double> samples;
};

double measure(Contender& contender, const std::vector<const void*>& in, const std::vector<void*>& out, int runs) {
  Bindings bindings;
  bindings.inputs = in.data(), bindings.outputs = out.data(), bindings.workspace = &contender.workspace;
  const auto begin = std::chrono::steady_clock::now();
  for (int i = 0; i < runs; ++i) contender.program->run(bindings);
  return std::chrono::duration<double, std::micro>(std::chrono::steady_clock::now() - begin).count() / runs;
}

/// As the layer was before there was an op, and as it still is over other axes than the last.
Expr decomposed(Expr x, Expr gamma, Expr beta) {
  const Attrs row = Attrs().set("axes", std::vector<int64_t>{1}).set("keepDims", 1);
  const Expr centered = x - apply(Op::mean, {x}, row);
  const Expr variance = apply(Op::mean, {apply(Op::square, {centered})}, row);
  return centered * apply(Op::rsqrt, {variance + 1e-5}) * gamma + beta;
}

void compare(int64_t rows, int64_t n) {
  const Shape shape{rows, n}, row{n};
  Graph g;
  const Expr x{&g, g.input(shape, DType::float32)}, d{&g, g.input(shape, DType::float32)},
      gamma{&g, g.input(row, DType::float32)}, beta{&g, g.input(row, DType::float32)};
  const Attrs attrs = Attrs().set("epsilon", 1e-5).set("scale", 1).set("center", 1);
  const Expr y = apply(Op::layerNormalization, {x, gamma, beta}, attrs), z = decomposed(x, gamma, beta);
  const double array = static_cast<double>(shape.size()) * sizeof(float);
  Contender contenders[] = {{"copy", 2 * array, nullptr, {}, {}},
                            {"forward", 2 * array, nullptr, {}, {}},
                            {"in steps", 2 * array, nullptr, {}, {}},
                            {"backward", 3 * array, nullptr, {}, {}},
                            {"in steps", 3 * array, nullptr, {}, {}}};
  const std::vector<NodeId> wrt{x.id, gamma.id, beta.id};
  const std::vector<NodeId> wanted[] = {{g.add(Op::identity, {x.id})}, {y.id}, {z.id}, gradients(g, y.id, wrt, d.id),
                                        gradients(g, z.id, wrt, d.id)};
  std::vector<std::unique_ptr<Buffer>> arrays;
  const auto add = [&](const Shape& of) {
    arrays.push_back(std::make_unique<Buffer>(static_cast<size_t>(of.size()) * sizeof(float)));
    auto* const values = reinterpret_cast<float*>(arrays.back()->data());
    for (int64_t i = 0; i < of.size(); ++i) values[i] = 0.01F * static_cast<float>(i * 7919 % 300) - 1;
    return values;
  };
  const std::vector<const void*> in{add(shape), add(shape), add(row), add(row)};
  const std::vector<void*> out{add(shape), add(row), add(row)};
  for (size_t i = 0; i < std::size(contenders); ++i) {
    PlanOptions options;
    options.outputs = wanted[i];
    contenders[i].program = cpu::compile(make_plan(g, options));
  }
  const int runs = static_cast<int>(std::max<int64_t>(1, 2000000 / shape.size()));
  for (int round = 0; round < 15; ++round)
    for (Contender& contender : contenders) contender.samples.push_back(measure(contender, in, out, runs));
  for (Contender& contender : contenders) {
    std::sort(contender.samples.begin(), contender.samples.end());
    const double median = contender.samples[contender.samples.size() / 2];
    std::printf("%-14s %d threads  %-9s %9.1f us  %6.1f GB/s\n", shape.to_string().c_str(), cpu::threads(), contender.name,
                median, contender.bytes / median / 1e3);
  }
}

}  // namespace

int main() {
  for (int threads : {1, 2}) {
    cpu::set_threads(threads);
    compare(2048, 128), compare(2048, 768), compare(8192, 1024), compare(64, 16384);
  }
}
