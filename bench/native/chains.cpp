// Chains of elementwise ops beside the same ops one by one: microseconds, medians of rounds that alternate.
#include <algorithm>
#include <chrono>
#include <cstdio>
#include <functional>
#include <memory>
#include <string>
#include <vector>

#include "backend/backend.h"
#include "backend/cpu/pool.h"
#include "graph/graph.h"

using namespace downhill;

namespace {

using Build = std::function<std::vector<Expr>(Graph&, const Shape&)>;

struct Case {
  const char* name;
  Build build;
};

Expr input(Graph& g, const Shape& shape) { return {&g, g.input(shape, DType::float32)}; }

/// Ten ops of a loss that a user wrote: Σ ((x − t)² · 0.5 + |x − t|) · sigmoid(x) over a batch, without its sum.
std::vector<Expr> user_loss(Graph& g, const Shape& shape) {
  const Expr x = input(g, shape), t = input(g, shape), error = x - t;
  const Expr smooth = apply(Op::square, {error}) * 0.5, sharp = apply(Op::abs, {error}) * 0.1;
  return {(smooth + sharp) * apply(Op::sigmoid, {x}) + apply(Op::maximum, {error, {&g, g.scalar(0)}}) * 0.25};
}

std::vector<Expr> user_loss_sum(Graph& g, const Shape& shape) { return {apply(Op::sum, {user_loss(g, shape)[0]})}; }

/// Six cheap ops, so that memory is all there is.
std::vector<Expr> cheap(Graph& g, const Shape& shape) {
  const Expr x = input(g, shape), t = input(g, shape);
  return {((x * 2 + t) * x - t) * 0.5 + x};
}

std::vector<Expr> normalise(Graph& g, const Shape& shape) {
  const Shape row{shape[shape.rank() - 1]}, column{shape[0], 1};
  const Expr x = input(g, shape);
  return {(x - input(g, column)) * input(g, column) * input(g, row) + input(g, row)};
}

std::vector<Expr> one(Graph& g, const Shape& shape) {
  return {input(g, shape) * input(g, Shape{shape[shape.rank() - 1]})};
}

std::vector<Expr> two(Graph& g, const Shape& shape) {
  const Expr x = input(g, shape);
  return {apply(Op::relu, {x * 2})};
}

std::vector<Expr> sum_of_squares(Graph& g, const Shape& shape) {
  return {apply(Op::sum, {apply(Op::square, {input(g, shape)})})};
}

struct Contender {
  std::unique_ptr<Program> program;
  Workspace workspace;
  std::vector<double> samples;
};

double measure(Contender& contender, const Bindings& given, int runs) {
  Bindings bindings = given;
  bindings.workspace = &contender.workspace;
  const auto begin = std::chrono::steady_clock::now();
  for (int i = 0; i < runs; ++i) contender.program->run(bindings);
  return std::chrono::duration<double, std::micro>(std::chrono::steady_clock::now() - begin).count() / runs;
}

void compare(const Case& item, const Shape& shape) {
  Graph graph;
  PlanOptions options;
  for (const Expr& result : item.build(graph, shape)) options.outputs.push_back(result.id);
  Contender contenders[2];
  for (int i = 0; i < 2; ++i) {
    options.chains = i == 0;
    contenders[i].program = cpu::compile(make_plan(graph, options));
  }
  std::vector<std::unique_ptr<Buffer>> arrays;
  std::vector<const void*> in;
  std::vector<void*> out;
  const auto add = [&](const Shape& of) {
    arrays.push_back(std::make_unique<Buffer>(static_cast<size_t>(of.size()) * sizeof(float)));
    auto* const x = reinterpret_cast<float*>(arrays.back()->data());
    for (int64_t i = 0; i < of.size(); ++i) x[i] = 0.01F * static_cast<float>(i % 300) - 1;
    return x;
  };
  const Plan& plan = contenders[0].program->plan();
  for (int value : plan.inputs) in.push_back(add(plan.values[value].shape));
  for (int value : plan.outputs) out.push_back(add(plan.values[value].shape));
  Bindings bindings;
  bindings.inputs = in.data(), bindings.outputs = out.data();
  const int runs = static_cast<int>(std::max<int64_t>(1, 200000 / shape.size()));
  for (int round = 0; round < 21; ++round)
    for (int i = 0; i < 2; ++i) contenders[(i + round) % 2].samples.push_back(measure(contenders[(i + round) % 2], bindings, runs));
  double median[2];
  for (int i = 0; i < 2; ++i) {
    std::sort(contenders[i].samples.begin(), contenders[i].samples.end());
    median[i] = contenders[i].samples[contenders[i].samples.size() / 2];
  }
  std::printf("%-10s %-14s %d threads  %10.2f  one by one %10.2f  %5.2f times\n", item.name, shape.to_string().c_str(),
              cpu::threads(), median[0], median[1], median[1] / median[0]);
}

}  // namespace

int main() {
  const Case cases[] = {{"one", one},             {"two", two},         {"cheap", cheap},     {"user loss", user_loss}, {"with sum", user_loss_sum},
                        {"normalise", normalise}, {"squares", sum_of_squares}};
  const Shape shapes[] = {{32, 10}, {128, 100}, {128, 1000}, {100000, 10}, {1000, 1000}, {1000, 5000}};
  for (int threads : {1, 2}) {
    cpu::set_threads(threads);
    for (const Case& item : cases)
      for (const Shape& shape : shapes) compare(item, shape);
  }
}
