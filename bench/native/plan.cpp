// Planning, without devices: cmake --build build-native --target bench_plan && build-native/bench_plan [LAYERS…].
// Milliseconds for the plan of a training step, the least of some rounds, and for the search under a limit of a half and
// an eighth of its arena.
#include <algorithm>
#include <chrono>
#include <cstdio>
#include <cstdlib>
#include <memory>
#include <vector>

#include "autodiff/gradients.h"
#include "plan/limited.h"

using namespace downhill;

namespace {

constexpr int64_t kRows = 32, kUnits = 16;

NodeId variable(Graph& graph, const Shape& shape) {
  const auto storage = std::make_shared<Storage>();
  storage->bytes = static_cast<size_t>(shape.size()) * sizeof(float);
  storage->buffer = std::make_shared<Buffer>(storage->bytes);
  return graph.variable(storage, shape, DType::float32, "weight");
}

/// What a network is made of: x → y of the same shape.
using Layer = NodeId (*)(Graph& g, NodeId x, int index, std::vector<NodeId>& weights);

NodeId dense(Graph& g, NodeId x, int, std::vector<NodeId>& weights) {
  weights.push_back(variable(g, {kUnits, kUnits}));
  const NodeId product = g.add(Op::matmul, {x, weights.back()});
  weights.push_back(variable(g, {kUnits}));
  return g.add(Op::gelu, {g.add(Op::add, {product, weights.back()})}, Attrs().set("approximate", 0));
}

NodeId dropped(Graph& g, NodeId x, int index, std::vector<NodeId>& weights) {
  weights.push_back(variable(g, {kUnits, kUnits}));
  const NodeId active = g.add(Op::relu, {g.add(Op::matmul, {x, weights.back()})});
  return g.add(Op::dropout, {active}, Attrs().set("rate", 0.5).set("key", index));
}

/// x + dense(normalized x).
NodeId residual(Graph& g, NodeId x, int index, std::vector<NodeId>& weights) {
  const Attrs along = Attrs().set("axes", std::vector<int64_t>{1}).set("keepDims", 1);
  const NodeId centred = g.add(Op::sub, {x, g.add(Op::mean, {x}, along)});
  const NodeId variance = g.add(Op::mean, {g.add(Op::square, {centred})}, along);
  const NodeId scale = g.add(Op::rsqrt, {g.add(Op::add, {variance, g.scalar(1e-3)})});
  weights.push_back(variable(g, {kUnits}));
  const NodeId normal = g.add(Op::mul, {g.add(Op::mul, {centred, scale}), weights.back()});
  return g.add(Op::add, {x, dense(g, normal, index, weights)});
}

struct Net {
  Graph graph;
  PlanOptions options;
};

std::unique_ptr<Net> deep(Layer layer, int layers) {
  auto net = std::make_unique<Net>();
  Graph& g = net->graph;
  std::vector<NodeId> weights;
  NodeId y = g.input(Shape{kRows, kUnits}, DType::float32);
  for (int i = 0; i < layers; ++i) {
    g.enter(false);
    y = layer(g, y, i, weights);
    g.leave();
  }
  const NodeId loss = g.add(Op::sum, {g.add(Op::square, {y})});
  net->options.outputs = gradients(g, loss, weights);
  net->options.outputs.push_back(loss);
  return net;
}

template <typename F>
double milliseconds(int rounds, F&& body) {
  using Clock = std::chrono::steady_clock;
  double least = 1e9;
  for (int i = 0; i < rounds; ++i) {
    const Clock::time_point began = Clock::now();
    body();
    least = std::min(least, std::chrono::duration<double, std::milli>(Clock::now() - began).count());
  }
  return least;
}

void measure(const char* name, Layer layer, int layers) {
  const std::unique_ptr<Net> net = deep(layer, layers);
  Plan plan;
  const double own = milliseconds(layers > 100 ? 3 : 20, [&] { plan = make_plan(net->graph, net->options); });
  std::printf("%-8s %5d layers  %6d nodes  %6zu steps  plan %8.2f ms", name, layers, net->graph.size(),
              plan.steps.size(), own);
  const auto arena_of = [](const Plan& other) { return other.arena_bytes; };
  for (const size_t part : {2, 8}) {
    std::optional<Limited> found;
    const double limited = milliseconds(1, [&] {
      found = LimitedPlans(net->graph, net->options).within(plan.arena_bytes / part, arena_of);
    });
    std::printf("   1/%zu: %8.1f ms, %s, %zu again", part, limited, found && found->fits ? "fits" : "does not fit",
                found ? recomputed_steps(found->plan) : 0);
  }
  std::printf("\n");
}

}  // namespace

int main(int count, char** arguments) {
  std::vector<int> sizes;
  for (int i = 1; i < count; ++i) sizes.push_back(std::atoi(arguments[i]));
  if (sizes.empty()) sizes = {10, 100, 1000};
  for (const int layers : sizes) {
    measure("dense", dense, layers);
    measure("dropout", dropped, layers);
    measure("residual", residual, layers);
  }
}
