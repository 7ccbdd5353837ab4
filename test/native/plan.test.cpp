// The planner: rewriting passes, fusion, and the arena, without running anything.
#include "plan/plan.h"

#include <algorithm>
#include <random>

#include "autodiff/gradients.h"
#include "check.h"
#include "core/error.h"

using namespace downhill;

namespace {

std::shared_ptr<Storage> storage(int64_t elements) {
  auto result = std::make_shared<Storage>();
  result->bytes = static_cast<size_t>(elements) * 4;
  result->buffer = std::make_shared<Buffer>(result->bytes);
  return result;
}

NodeId variable(Graph& graph, const Shape& shape) {
  return graph.variable(storage(shape.size()), shape, DType::float32, "v");
}

Plan plan_of(const Graph& graph, std::vector<NodeId> outputs) {
  PlanOptions options;
  options.outputs = std::move(outputs);
  return make_plan(graph, options);
}

int count(const Plan& plan, Op op) {
  return static_cast<int>(
      std::count_if(plan.steps.begin(), plan.steps.end(), [&](const Step& step) { return step.op == op; }));
}

/// The lecture's network with its gradients.
Plan network(int64_t batch) {
  Graph g;
  const NodeId x = g.input(Shape{batch, 784}, DType::float32), t = g.input(Shape{batch, 10}, DType::float32);
  const NodeId w1 = variable(g, {784, 32}), b1 = variable(g, {32}), w2 = variable(g, {32, 10}), b2 = variable(g, {10});
  const NodeId h = g.add(Op::sigmoid, {g.add(Op::add, {g.add(Op::matmul, {x, w1}), b1})});
  const NodeId p = g.add(Op::softmax, {g.add(Op::add, {g.add(Op::matmul, {h, w2}), b2})}, Attrs().set("axis", -1));
  const NodeId loss = g.add(Op::mean, {g.add(Op::categoricalCrossEntropy, {p, t})});
  std::vector<NodeId> outputs = gradients(g, loss, {w1, b1, w2, b2});
  outputs.insert(outputs.begin(), loss);
  return plan_of(g, outputs);
}

void fuses_the_network() {
  const Plan plan = network(128);
  CHECK(count(plan, Op::matmul) == 5, "%d products, expected 2 forward and 3 backward:\n%s", count(plan, Op::matmul),
        describe(plan).c_str());
  CHECK(plan.steps[0].op == Op::matmul && plan.steps[0].epilogue.bias &&
        plan.steps[0].epilogue.activation == Op::sigmoid);
  CHECK(plan.steps[1].epilogue.bias && plan.steps[1].epilogue.activation == Op::identity);
  CHECK(count(plan, Op::softmax) == 0 && count(plan, Op::softmaxCrossEntropy) == 1 &&
        count(plan, Op::softmaxCrossEntropyGrad) == 1);
  const auto backward = std::find_if(plan.steps.begin(), plan.steps.end(),
                                     [](const Step& step) { return step.epilogue.activation == Op::sigmoidGrad; });
  CHECK(count(plan, Op::sigmoidGrad) == 0 && backward != plan.steps.end(), "%s", describe(plan).c_str());
  CHECK(backward->inputs.size() == 3 && backward->inputs[2] == plan.steps[0].output, "what the gradient reads");
  CHECK(describe(plan).find("matmul+sigmoidGrad") != std::string::npos);
  CHECK(count(plan, Op::add) == 0 && count(plan, Op::transpose) == 0 && count(plan, Op::broadcastTo) == 0);
  CHECK(plan.steps.size() <= 12, "%zu steps", plan.steps.size());
}

void keeps_what_others_read() {
  Graph g;
  const NodeId x = g.input(Shape{4, 3}, DType::float32), w = variable(g, {3, 2}), b = variable(g, {2});
  const NodeId product = g.add(Op::matmul, {x, w}), biased = g.add(Op::add, {product, b}),
               active = g.add(Op::relu, {biased});
  const Plan both = plan_of(g, {biased, active});
  CHECK(count(both, Op::relu) == 1 && both.steps[0].epilogue.bias && both.steps[0].epilogue.activation == Op::identity);
  const Plan all = plan_of(g, {product, biased, active});
  CHECK(count(all, Op::add) == 1 && !all.steps[0].epilogue.bias);
  CHECK(count(plan_of(g, {active}), Op::relu) == 0);
}

void fuses_gradients_of_activations() {
  Graph g;
  const NodeId x = g.input(Shape{4, 3}, DType::float32), w = variable(g, {3, 2}), b = variable(g, {2}),
               y = g.input(Shape{4, 2}, DType::float32), row = g.input(Shape{2}, DType::float32);
  const NodeId product = g.add(Op::matmul, {x, w}), biased = g.add(Op::add, {product, b});
  const Attrs alpha = Attrs().set("alpha", 0.5);
  const NodeId gradient = g.add(Op::leakyReluGrad, {y, biased}, alpha);
  const Plan plan = plan_of(g, {gradient});
  CHECK(plan.steps.size() == 1 && plan.steps[0].inputs.size() == 4 && plan.steps[0].epilogue.bias &&
            plan.steps[0].epilogue.activation == Op::leakyReluGrad &&
            plan.steps[0].epilogue.attrs.number("alpha") == 0.5,
        "%s", describe(plan).c_str());
  const auto remain = [&](std::vector<NodeId> outputs, Op op) {
    return count(plan_of(g, std::move(outputs)), op) == 1;
  };
  CHECK(remain({gradient, biased}, Op::leakyReluGrad), "the product is an output too");
  CHECK(remain({g.add(Op::reluGrad, {product, y})}, Op::reluGrad), "the product is what is read, not d_y");
  CHECK(remain({g.add(Op::reluGrad, {row, product})}, Op::reluGrad), "what is read is broadcast");
  CHECK(remain({g.add(Op::reluGrad, {product, product})}, Op::reluGrad), "the product is read twice");
  CHECK(remain({g.add(Op::reluGrad, {y, g.add(Op::relu, {product})})}, Op::reluGrad), "after an activation");
  CHECK(remain({g.add(Op::mul, {y, product})}, Op::mul), "no gradient");
}

void removes_dead_and_equal_nodes() {
  Graph g;
  const NodeId x = g.input(Shape{8}, DType::float32);
  g.add(Op::exp, {g.add(Op::log, {x})});  // nobody reads it
  const NodeId once = g.add(Op::exp, {x}), again = g.add(Op::exp, {x});
  const Plan plan = plan_of(g, {g.add(Op::add, {once, again})});
  CHECK(plan.steps.size() == 2, "%s", describe(plan).c_str());
  const NodeId first = g.add(Op::dropout, {x}, Attrs().set("rate", 0.5).set("key", 1));
  const NodeId second = g.add(Op::dropout, {x}, Attrs().set("rate", 0.5).set("key", 2));
  CHECK(count(plan_of(g, {g.add(Op::add, {first, second})}), Op::dropout) == 2, "other keys, other draws");
}

void folds_constants() {
  Graph g;
  const NodeId x = g.input(Shape{3}, DType::float32);
  const NodeId two = g.add(Op::add, {g.scalar(1.5), g.scalar(0.5)});
  const NodeId one = g.add(Op::div, {two, g.scalar(2)});
  const Plan plan = plan_of(g, {g.add(Op::mul, {g.add(Op::mul, {x, one}), two})});
  CHECK(plan.steps.size() == 1 && count(plan, Op::mul) == 1, "%s", describe(plan).c_str());
  const Value& constant = plan.values[plan.steps[0].inputs[1]];
  CHECK(constant.place == Place::storage && *reinterpret_cast<const float*>(constant.storage->data()) == 2.0f);
}

void outputs_are_written_in_place_or_copied() {
  Graph g;
  const NodeId x = g.input(Shape{2, 3}, DType::float32);
  const NodeId y = g.add(Op::exp, {x}), flat = g.add(Op::reshape, {y}, Attrs().set("shape", std::vector<int64_t>{6}));
  const Plan plan = plan_of(g, {flat, x, y, y});
  CHECK(count(plan, Op::exp) == 1 && count(plan, Op::identity) == 3, "%s", describe(plan).c_str());
  for (size_t i = 0; i < 4; ++i)
    CHECK(plan.values[plan.outputs[i]].place == Place::output &&
          plan.values[plan.outputs[i]].index == static_cast<int>(i));
  CHECK(plan.arena_bytes == 0);
}

void transposes_become_flags() {
  Graph g;
  const NodeId a = g.input(Shape{5, 4}, DType::float32), b = g.input(Shape{3, 5}, DType::float32);
  const Plan plan = plan_of(g, {g.add(Op::matmul, {g.add(Op::transpose, {a}), g.add(Op::transpose, {b})})});
  CHECK(plan.steps.size() == 1 && plan.steps[0].attrs.flag("transposeA") && plan.steps[0].attrs.flag("transposeB"));
}

/// Values whose lifetimes overlap must not share memory; an elementwise result may take over the operand that dies in
/// its step.
void check_arena(const Plan& plan) {
  const int steps = static_cast<int>(plan.steps.size());
  const auto root = [&](int value) { return plan.values[value].alias_of >= 0 ? plan.values[value].alias_of : value; };
  std::vector<int> born(plan.values.size(), -1), last(plan.values.size(), -1);
  for (int i = 0; i < steps; ++i) {
    born[root(plan.steps[i].output)] = i;
    last[root(plan.steps[i].output)] = std::max(last[root(plan.steps[i].output)], i);
    for (int input : plan.steps[i].inputs) last[root(input)] = i;
  }
  for (const StateWrite& write : plan.writes) last[root(write.from)] = steps;
  for (size_t a = 0; a < plan.values.size(); ++a)
    for (size_t b = 0; b < plan.values.size(); ++b) {
      const Value &va = plan.values[a], &vb = plan.values[b];
      if (a == b || va.place != Place::arena || vb.place != Place::arena || va.alias_of >= 0 || vb.alias_of >= 0)
        continue;
      if (born[a] < 0 || born[b] < 0 || born[a] > born[b] || last[a] < born[b])
        continue;  // a is born first and still lives
      const bool apart = va.offset + va.bytes() <= vb.offset || vb.offset + vb.bytes() <= va.offset;
      const bool taken_over = last[a] == born[b] && va.offset == vb.offset && va.bytes() == vb.bytes() &&
                              is_elementwise(plan.steps[born[b]].op);
      CHECK(apart || taken_over, "values %zu and %zu share memory:\n%s", a, b, describe(plan).c_str());
      CHECK(va.offset % kAlignment == 0 && va.offset + va.bytes() <= plan.arena_bytes);
    }
}

void arenas_of_random_graphs() {
  std::mt19937 random(1);
  for (int round = 0; round < 300; ++round) {
    Graph g;
    std::vector<NodeId> pool{g.input(Shape{4, 8}, DType::float32), variable(g, {4, 8}), variable(g, {8}),
                             variable(g, {4, 1})};
    const auto pick = [&] { return pool[random() % pool.size()]; };
    for (int i = 0; i < 25; ++i) {
      try {
        switch (random() % 6) {
          case 0:
            pool.push_back(g.add(Op::add, {pick(), pick()}));
            break;
          case 1:
            pool.push_back(g.add(Op::tanh, {pick()}));
            break;
          case 2:
            pool.push_back(g.add(Op::mul, {pick(), pick()}));
            break;
          case 3:
            pool.push_back(g.add(Op::transpose, {pick()}));
            break;
          case 4:
            pool.push_back(g.add(Op::sum, {pick()}, Attrs().set("axes", std::vector<int64_t>{-1}).set("keepDims", 1)));
            break;
          case 5:
            pool.push_back(g.add(Op::reshape, {pick()}, Attrs().set("shape", std::vector<int64_t>{2, -1})));
            break;
        }
      } catch (const downhill::Error&) {  // shapes that do not fit
      }
    }
    PlanOptions options;
    options.outputs = {pool.back(), pick()};
    options.writes = {{storage(g[pool.back()].shape.size()), pool.back()}};
    check_arena(make_plan(g, options));
  }
  check_arena(network(32));
}

void memory_is_reused() {
  Graph g;
  NodeId x = g.input(Shape{1024}, DType::float32);
  for (int i = 0; i < 50; ++i) x = g.add(Op::softmax, {x}, Attrs().set("axis", -1));
  const Plan plan = plan_of(g, {x});
  CHECK(plan.arena_bytes == 2 * 4096, "a chain needs two buffers, got %zu bytes", plan.arena_bytes);
  NodeId y = g.input(Shape{1024}, DType::float32);
  for (int i = 0; i < 50; ++i) y = g.add(Op::tanh, {y});
  const Plan in_place = plan_of(g, {y});
  CHECK(in_place.arena_bytes == 4096, "elementwise chains run in place, got %zu bytes", in_place.arena_bytes);
}

void shape_errors_name_op_and_shapes() {
  Graph g;
  const NodeId a = g.input(Shape{2, 3}, DType::float32), b = g.input(Shape{4, 5}, DType::float32);
  g.set_scope("dense_1");
  try {
    g.add(Op::matmul, {a, b});
    CHECK(false, "must throw");
  } catch (const downhill::Error& error) {
    const std::string message = error.what();
    for (const char* part : {"dense_1", "matmul", "[2, 3]", "[4, 5]", "3", "4"})
      CHECK(message.find(part) != std::string::npos, "%s", message.c_str());
    CHECK(std::string(error.code()) == "SHAPE_MISMATCH");
  }
}

}  // namespace

int main() {
  fuses_the_network();
  keeps_what_others_read();
  fuses_gradients_of_activations();
  removes_dead_and_equal_nodes();
  folds_constants();
  outputs_are_written_in_place_or_copied();
  transposes_become_flags();
  arenas_of_random_graphs();
  memory_is_reused();
  shape_errors_name_op_and_shapes();
  return downhill::test::report("plan");
}
