// What the backward pass computes again: which nodes, when, and what it does to the arena. Nothing is run.
#include "plan/passes/recompute.h"

#include <algorithm>

#include "autodiff/gradients.h"
#include "check.h"
#include "core/error.h"
#include "plan/limited.h"

using namespace downhill;

namespace {

constexpr int64_t kRows = 32, kUnits = 16;
constexpr size_t kLayer = kRows * kUnits * 4;  // bytes of a layer's result

NodeId variable(Graph& graph, const Shape& shape) {
  auto storage = std::make_shared<Storage>();
  storage->bytes = static_cast<size_t>(shape.size()) * 4;
  storage->buffer = std::make_shared<Buffer>(storage->bytes);
  return graph.variable(storage, shape, DType::float32, "v");
}

/// A layer: gelu(x · w), which keeps x · w for its gradient, and y for the next one's.
NodeId layer(Graph& g, NodeId x, std::vector<NodeId>& weights) {
  weights.push_back(variable(g, {kUnits, kUnits}));
  return g.add(Op::gelu, {g.add(Op::matmul, {x, weights.back()})}, Attrs().set("approximate", 0));
}

struct Net {
  Graph graph;
  PlanOptions options;
};

/// `again`: by layer.
Net deep(const std::vector<bool>& again) {
  Net net;
  Graph& g = net.graph;
  std::vector<NodeId> weights;
  NodeId y = g.input(Shape{kRows, kUnits}, DType::float32);
  for (const bool recompute : again) {
    g.enter(recompute);
    y = layer(g, y, weights);
    g.leave();
  }
  const NodeId loss = g.add(Op::sum, {g.add(Op::square, {y})});
  net.options.outputs = gradients(g, loss, weights);
  net.options.outputs.push_back(loss);
  return net;
}

Plan plan_of(const Net& net) { return make_plan(net.graph, net.options); }
size_t arena_of(const Plan& plan) { return plan.arena_bytes; }

/// The graph's own plan if it keeps to the limit, else the best of the others.
Limited plan_within(const Net& net, size_t limit) {
  const LimitedPlans plans(net.graph, net.options);
  Plan own = plans.own();
  const size_t bytes = own.arena_bytes;
  if (bytes <= limit) return {std::move(own), bytes, true};
  return plans.within(limit, arena_of).value();
}

void repeats_what_the_region_keeps() {
  const Plan kept = plan_of(deep(std::vector<bool>(8, false))), again = plan_of(deep(std::vector<bool>(8, true)));
  CHECK(recomputed_steps(kept) == 0 && recomputed_steps(again) == 8, "%zu", recomputed_steps(again));
  CHECK(kept.arena_bytes >= 15 * kLayer, "%zu", kept.arena_bytes / kLayer);
  CHECK(again.arena_bytes <= 12 * kLayer, "%zu", again.arena_bytes / kLayer);
  // The results of layers are there anyway, so only the products are made again, each with its layer's gradients.
  int before = -1;
  for (size_t i = 0; i < again.steps.size(); ++i) {
    if (again.steps[i].phase != Phase::again) continue;
    CHECK(again.steps[i].op == Op::matmul && again.steps[i].epilogue.activation == Op::identity);
    CHECK(before < 0 || static_cast<int>(i) > before + 1, "two at once:\n%s", describe(again).c_str());
    before = static_cast<int>(i);
  }
  CHECK(describe(again).find("again") != std::string::npos && describe(kept).find("again") == std::string::npos);
}

void a_region_of_several_layers_keeps_its_input() {
  Net net;
  Graph& g = net.graph;
  std::vector<NodeId> weights;
  NodeId y = g.input(Shape{kRows, kUnits}, DType::float32);
  for (int block = 0; block < 4; ++block) {
    g.enter(true);
    for (int i = 0; i < 4; ++i) {
      g.enter(i == 2);  // within a region: part of it
      y = layer(g, y, weights);
      g.leave();
    }
    g.leave();
  }
  CHECK(g.recomputed().size() == 4);
  const NodeId loss = g.add(Op::sum, {g.add(Op::square, {y})});
  net.options.outputs = gradients(g, loss, weights);
  const Plan plan = plan_of(net);
  CHECK(plan.arena_bytes <= 13 * kLayer, "%zu", plan.arena_bytes / kLayer);  // 4 inputs, 8 of a block, a gradient
}

void what_follows_a_product_counts() {
  // A dropout that is drawn again on the blocks of its product: an op as much as one by itself.
  Net net;
  Graph& g = net.graph;
  std::vector<NodeId> weights;
  NodeId y = g.input(Shape{kRows, kUnits}, DType::float32);
  g.enter(true);
  for (int i = 0; i < 3; ++i) {
    weights.push_back(variable(g, {kUnits, kUnits}));
    const NodeId active = g.add(Op::tanh, {g.add(Op::matmul, {y, weights.back()})});
    y = g.add(Op::dropout, {active}, Attrs().set("rate", 0.5).set("key", i));
  }
  g.leave();
  net.options.outputs = gradients(g, g.add(Op::sum, {g.add(Op::square, {y})}), weights);
  const Plan tails = plan_of(net);
  net.options.tails = false;
  const Plan single = plan_of(net);
  CHECK(std::any_of(tails.steps.begin(), tails.steps.end(), [](const Step& s) { return !s.tail.empty(); }), "%s",
        describe(tails).c_str());
  CHECK(recomputed_steps(tails) == recomputed_steps(single) && recomputed_steps(single) > 3, "%zu, %zu:\n%s",
        recomputed_steps(tails), recomputed_steps(single), describe(tails).c_str());
}

void what_is_read_anyway_is_kept() {
  // The sum's operand is an output as well: nothing to do again.
  Graph g;
  const NodeId x = g.input(Shape{kRows, kUnits}, DType::float32), w = variable(g, {kUnits, kUnits});
  g.enter(true);
  const NodeId z = g.add(Op::matmul, {x, w}), y = g.add(Op::silu, {z});
  g.leave();
  PlanOptions options;
  options.outputs = gradients(g, g.add(Op::sum, {y}), {w});
  CHECK(recomputed_steps(make_plan(g, options)) == 1);
  options.outputs.push_back(z);
  CHECK(recomputed_steps(make_plan(g, options)) == 0);
}

void state_is_written_once() {
  // A moving mean of something that the backward pass computes again.
  Graph g;
  const NodeId x = g.input(Shape{kRows, kUnits}, DType::float32), w = variable(g, {kUnits, kUnits});
  g.enter(true);
  const NodeId z = g.add(Op::exp, {g.add(Op::matmul, {x, w})});
  const NodeId mean = g.add(Op::mean, {z}, Attrs().set("axes", std::vector<int64_t>{0}));
  const NodeId y = g.add(Op::square, {g.add(Op::sub, {z, mean})});
  g.leave();
  PlanOptions options;
  options.outputs = gradients(g, g.add(Op::sum, {y}), {w});
  auto moving = std::make_shared<Storage>();
  moving->bytes = kUnits * 4;
  moving->buffer = std::make_shared<Buffer>(moving->bytes);
  options.writes = {{moving, mean}};
  const Plan plan = make_plan(g, options);
  CHECK(plan.writes.size() == 1 && recomputed_steps(plan) > 0);
  const int from = plan.writes[0].from;
  for (const Step& step : plan.steps)
    for (int output : step.outputs())
      CHECK(output != from || step.phase == Phase::forward, "%s", describe(plan).c_str());
}

void a_gradient_within_a_layer_is_part_of_it() {
  Graph g;
  const NodeId x = g.input(Shape{kRows, kUnits}, DType::float32), w = variable(g, {kUnits, kUnits});
  g.enter(true);
  const NodeId z = g.add(Op::gelu, {g.add(Op::matmul, {x, w})}, Attrs().set("approximate", 1));
  const NodeId slope = gradients(g, g.add(Op::sum, {z}), {x})[0];
  const NodeId y = g.add(Op::silu, {g.add(Op::mul, {slope, z})});
  g.leave();
  PlanOptions options;
  options.outputs = gradients(g, g.add(Op::sum, {y}), {w});
  const Plan plan = make_plan(g, options);
  CHECK(recomputed_steps(plan) > 3, "%s", describe(plan).c_str());
  std::vector<bool> made(plan.values.size(), false);
  for (const Step& step : plan.steps) {
    for (int input : step.inputs) {
      const Value& value = plan.values[input];
      const int root = value.alias_of >= 0 ? value.alias_of : input;
      CHECK(value.place != Place::arena || made[root], "read before it is made:\n%s", describe(plan).c_str());
    }
    for (int output : step.outputs())
      made[plan.values[output].alias_of >= 0 ? plan.values[output].alias_of : output] = true;
  }
}

void elementwise_layers_wait_for_their_turn() {
  // All of it could be one pass: what is computed again may not be part of the one that goes forward.
  Graph g;
  const NodeId x = g.input(Shape{kRows, kUnits}, DType::float32), w = variable(g, {kUnits});
  const NodeId scaled = g.add(Op::mul, {g.add(Op::abs, {x}), w});
  g.enter(true);
  const NodeId y = g.add(Op::square, {g.add(Op::silu, {scaled})});
  g.leave();
  PlanOptions options;
  options.outputs = gradients(g, g.add(Op::sum, {y}), {w});
  options.outputs.push_back(y);
  const Plan plan = make_plan(g, options);
  CHECK(recomputed_steps(plan) == 1, "%s", describe(plan).c_str());
  for (const Step& step : plan.steps) {
    bool forward = false, again = false;
    for (const Step& part : step.chain) {
      forward |= part.phase == Phase::forward;
      again |= part.phase == Phase::again;
    }
    CHECK(!forward || !again, "%s", describe(plan).c_str());
  }
}

void a_limit_chooses() {
  const Net net = deep(std::vector<bool>(32, false));
  const size_t kept = plan_of(net).arena_bytes;
  const Limited all = plan_within(net, kept);
  CHECK(all.fits && recomputed_steps(all.plan) == 0 && all.bytes == kept);
  size_t before = 0;
  for (const double share : {0.9, 0.6, 0.4}) {
    const auto limit = static_cast<size_t>(share * static_cast<double>(kept));
    const Limited found = plan_within(net, limit);
    CHECK(found.fits && found.bytes <= limit && found.bytes == found.plan.arena_bytes, "%zu of %zu", found.bytes,
          limit);
    CHECK(recomputed_steps(found.plan) > before, "%zu", recomputed_steps(found.plan));
    before = recomputed_steps(found.plan);
  }
  const Limited least = plan_within(net, 1);
  CHECK(!least.fits && least.bytes <= 20 * kLayer, "%zu of %zu", least.bytes / kLayer, kept / kLayer);
  // Layers that ask for it are computed again, whatever the limit.
  std::vector<bool> some(32, false);
  some[3] = true;
  const Net asked = deep(some);
  CHECK(recomputed_steps(plan_within(asked, kept).plan) == 1);
}

void calls_end() {
  Graph g;
  try {
    g.leave();
    CHECK(false, "left a call that nobody entered");
  } catch (const Error& error) {
    CHECK(std::string(error.code()) == code::kInternal);
  }
}

}  // namespace

int main() {
  repeats_what_the_region_keeps();
  a_region_of_several_layers_keeps_its_input();
  what_follows_a_product_counts();
  what_is_read_anyway_is_kept();
  state_is_written_once();
  a_gradient_within_a_layer_is_part_of_it();
  elementwise_layers_wait_for_their_turn();
  a_limit_chooses();
  calls_end();
  return test::report("recompute");
}
