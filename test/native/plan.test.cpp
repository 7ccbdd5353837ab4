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
  options.chains = options.tails = false;  // chains.test.cpp, tails.test.cpp
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
  CHECK(count(plan, Op::sum) == 1, "the loss's sum alone, no bias gradient:\n%s", describe(plan).c_str());
  for (int layer : {0, 1}) {  // outputs: loss, then gradients of w1 b1 w2 b2
    const auto place = [&](int output) {
      const int value = plan.outputs[static_cast<size_t>(output)], root = plan.values[value].alias_of;
      return root < 0 ? value : root;
    };
    const int weights = place(1 + 2 * layer), bias = place(2 + 2 * layer);
    CHECK(std::count_if(plan.steps.begin(), plan.steps.end(), [&](const Step& step) {
            return step.output == weights && step.column_sums == bias && step.epilogue.activation == Op::identity;
          }) == 1);
  }
  CHECK(plan.steps.size() <= 10, "%zu steps", plan.steps.size());
}

void adds_a_bias_in_front_of_a_reshape() {
  Graph g;
  const NodeId x = g.input(Shape{2, 4, 3}, DType::float32), w = variable(g, {3, 2}), b = variable(g, {2});
  const Plan plan = plan_of(g, {g.add(Op::add, {b, g.add(Op::matmul, {x, w})})});
  CHECK(plan.steps.size() == 1 && plan.steps[0].epilogue.bias, "%s", describe(plan).c_str());
  CHECK(plan.values[static_cast<size_t>(plan.outputs[0])].shape == Shape({2, 4, 2}));
  const NodeId wide = variable(g, {4, 2});
  const Plan other = plan_of(g, {g.add(Op::add, {g.add(Op::matmul, {x, w}), wide})});
  CHECK(count(other, Op::add) + count(other, Op::matmul) == 2 && !other.steps[0].epilogue.bias);
  const auto layer = [&] { return g.add(Op::tanh, {g.add(Op::add, {g.add(Op::matmul, {x, w}), b})}); };
  const Plan twice = plan_of(g, {layer(), layer()});
  CHECK(count(twice, Op::matmul) == 1, "one and the same:\n%s", describe(twice).c_str());
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

// ---- xᵀ · d with the sums of d ----

Attrs transposed_a() { return Attrs().set("transposeA", 1); }
NodeId sum_over(Graph& g, NodeId x, std::vector<int64_t> axes, bool keep = false) {
  return g.add(Op::sum, {x}, Attrs().set("axes", std::move(axes)).set("keepDims", keep));
}
int paired(const Plan& plan) {
  return static_cast<int>(
      std::count_if(plan.steps.begin(), plan.steps.end(), [](const Step& step) { return step.column_sums >= 0; }));
}
/// Every step reads what earlier steps made, and nothing is made twice.
void check_order(const Plan& plan) {
  std::vector<bool> made(plan.values.size()), ever(plan.values.size());
  const auto root = [&](int value) { return plan.values[value].alias_of >= 0 ? plan.values[value].alias_of : value; };
  for (const Step& step : plan.steps)
    for (int output : step.outputs()) {
      CHECK(!ever[root(output)], "value %d is made twice:\n%s", output, describe(plan).c_str());
      ever[root(output)] = true;
    }
  for (const Step& step : plan.steps) {
    for (int input : step.inputs)
      CHECK(input >= 0 && (made[root(input)] || !ever[root(input)]), "value %d is read before it is made:\n%s", input,
            describe(plan).c_str());
    for (int output : step.outputs()) made[root(output)] = true;
  }
}

void sums_columns_beside_the_product() {
  Graph g;
  const auto input = [&](const Shape& shape) { return g.input(shape, DType::float32); };
  const NodeId x = input({6, 3}), d = input({6, 2}), other = input({6, 2});
  const NodeId x_of_3 = input({3, 5}), xt = input({3, 6}), square = input({6, 6}), empty = input({6, 0});
  const NodeId x3 = input({4, 6, 3}), d3 = input({4, 6, 2}), thin = input({6, 1, 2});
  const NodeId product = g.add(Op::matmul, {x, d}, transposed_a()), sums = sum_over(g, d, {0});
  const auto pairs = [&](std::vector<NodeId> outputs) {
    const Plan plan = plan_of(g, std::move(outputs));
    check_order(plan);
    return paired(plan);
  };
  const Plan plan = plan_of(g, {sums, product});
  CHECK(plan.steps.size() == 1 && plan.steps[0].op == Op::matmul && plan.steps[0].output == plan.outputs[1] &&
            plan.steps[0].column_sums == plan.outputs[0] && plan.arena_bytes == 0,
        "%s", describe(plan).c_str());
  CHECK(plan.values[plan.outputs[0]].shape == Shape{2} && plan.values[plan.outputs[1]].shape == (Shape{3, 2}));
  CHECK(describe(plan).find("matmul+columnSums") != std::string::npos &&
            describe(plan).find("-> [3, 2] [2]") != std::string::npos &&
            describe(plan).find("output 1, output 0") != std::string::npos,
        "%s", describe(plan).c_str());
  CHECK(flops_of(plan, plan.steps[0]) == 2 * 6 * 3 * 2 + 6 * 2);
  CHECK(bytes_of(plan, plan.steps[0]) == 4 * (6 * 3 + 6 * 2 + 3 * 2 + 2));
  const std::vector<bool> written = written_values(plan);
  CHECK(written[static_cast<size_t>(plan.outputs[0])] && written[static_cast<size_t>(plan.outputs[1])]);

  CHECK(pairs({product, sums}) == 1, "whichever comes first");
  CHECK(pairs({product, sum_over(g, d, {0}, true)}) == 1, "sums of shape [1, 2]");
  CHECK(pairs({product, sums, sums}) == 1, "a copy for the second");
  CHECK(pairs({product, sums, sum_over(g, d, {0}, true)}) == 1, "a product sums once");
  const NodeId second = g.add(Op::matmul, {g.add(Op::exp, {x}), d}, transposed_a());
  CHECK(pairs({product, second, sums}) == 1);
  CHECK(pairs({product, second, sums, sum_over(g, d, {0}, true)}) <= 2);
  CHECK(pairs({g.add(Op::mul, {sums, g.scalar(3)}), g.add(Op::mul, {product, product})}) == 1,
        "both are read by others");

  CHECK(pairs({product, sum_over(g, d, {1})}) == 0, "along rows");
  CHECK(pairs({product, sum_over(g, d, {0, 1})}) == 0, "of everything");
  CHECK(pairs({product, sum_over(g, other, {0})}) == 0, "of another d");
  CHECK(pairs({product, sum_over(g, x, {0})}) == 0, "of x");
  CHECK(pairs({product, g.add(Op::max, {d}, Attrs().set("axes", std::vector<int64_t>{0}))}) == 0, "no sum");
  CHECK(pairs({g.add(Op::tanh, {product}), sums}) == 0, "something is fused to the product");
  const NodeId early = sum_over(g, other, {0}), late = g.add(Op::matmul, {x, other}, transposed_a());
  CHECK(pairs({early, late}) == 1 && pairs({early, g.add(Op::tanh, {late})}) == 0, "the same with the sums first");
  CHECK(pairs({g.add(Op::matmul, {xt, d}), sums}) == 0, "no weight gradient of a layer");
  CHECK(pairs({g.add(Op::matmul, {x, g.add(Op::transpose, {square})}, transposed_a()), sum_over(g, square, {0})}) == 0,
        "d is transposed");
  CHECK(pairs({g.add(Op::matmul, {empty, d}, transposed_a()), sums}) == 0, "an empty product has no blocks");
  const NodeId whole = g.add(Op::cast, {d}, Attrs().set("dtype", static_cast<double>(DType::int32)));
  CHECK(pairs({product, sum_over(g, whole, {0})}) == 0, "int32");
  const NodeId flat = g.add(Op::reshape, {d}, Attrs().set("shape", std::vector<int64_t>{3, 4}));
  CHECK(pairs({g.add(Op::matmul, {x_of_3, flat}, transposed_a()), sums}) == 0, "other columns of the same memory");
  const NodeId same = g.add(Op::reshape, {thin}, Attrs().set("shape", std::vector<int64_t>{6, 2}));
  CHECK(pairs({g.add(Op::matmul, {x, same}, transposed_a()), sum_over(g, thin, {0})}) == 1, "axes of one element");
  CHECK(pairs({g.add(Op::matmul, {x3, d3}, transposed_a()), sum_over(g, d3, {0, 1})}) == 0, "several products");
}

void sums_columns_in_any_order() {
  Graph g;
  const NodeId x = g.input(Shape{6, 3}, DType::float32), d = g.input(Shape{6, 2}, DType::float32);
  // The sums are read before the product stands in the graph, and by what the product reads.
  const NodeId sums = sum_over(g, d, {0});
  const NodeId early = g.add(Op::exp, {sums}), product = g.add(Op::matmul, {x, d}, transposed_a());
  Plan plan = plan_of(g, {early, product});
  check_order(plan);
  CHECK(paired(plan) == 1 && plan.steps.size() == 2, "%s", describe(plan).c_str());
  const NodeId shifted = g.add(Op::add, {g.input(Shape{6, 2}, DType::float32), sums});
  plan = plan_of(g, {g.add(Op::matmul, {shifted, d}, transposed_a())});
  check_order(plan);
  CHECK(paired(plan) == 0 && plan.steps.size() == 3, "x needs the sums:\n%s", describe(plan).c_str());
  plan = plan_of(g, {g.add(Op::mul, {sum_over(g, d, {0}, true), product}), product});  // reads both
  check_order(plan);
  CHECK(paired(plan) == 1);

  // A layer over sequences: d is of rank 3, its product is of all rows.
  Graph h;
  const NodeId x3 = h.input(Shape{2, 5, 3}, DType::float32), w = variable(h, {3, 4}), b = variable(h, {4});
  const NodeId y = h.add(Op::tanh, {h.add(Op::add, {h.add(Op::matmul, {x3, w}), b})});
  plan = plan_of(h, gradients(h, h.add(Op::mean, {h.add(Op::square, {y})}), {w, b}));
  check_order(plan);
  CHECK(paired(plan) == 1 && count(plan, Op::sum) == 0, "%s", describe(plan).c_str());
}

void sums_columns_into_their_places() {
  Graph g;
  const NodeId x = g.input(Shape{6, 3}, DType::float32), d = g.input(Shape{6, 2}, DType::float32);
  const NodeId product = g.add(Op::matmul, {x, d}, transposed_a()), sums = sum_over(g, d, {0}, true);
  PlanOptions options;
  options.outputs = {product, g.add(Op::reshape, {sums}, Attrs().set("shape", std::vector<int64_t>{2}))};
  options.targets = {storage(6), storage(2)};
  options.writes = {{storage(2), sums}};
  const Plan plan = make_plan(g, options);
  check_order(plan);
  CHECK(paired(plan) == 1, "%s", describe(plan).c_str());
  const Step& step =
      *std::find_if(plan.steps.begin(), plan.steps.end(), [](const Step& s) { return s.op == Op::matmul; });
  CHECK(plan.values[step.output].storage == options.targets[0] &&
        plan.values[step.column_sums].storage == options.targets[1]);
}

/// relu and bias behind a max pool: mask and sums are those of the pooled gradient.
void masks_and_sums_before_it_spreads() {
  const auto slopes = [](Attrs pool, int64_t axes, bool pooled_again) {
    Graph g;
    const NodeId x = g.input(Shape{2, 8, 8, 3}, DType::float32), bias = variable(g, {3});
    const NodeId y = g.add(Op::relu, {g.add(Op::add, {x, bias})});
    const NodeId pooled = g.add(Op::maxPool2d, {y}, pool), d = g.input(g[pooled].shape, DType::float32);
    const NodeId spread = g.add(Op::maxPool2dGrad, {y, d}, g[pooled].attrs);
    const NodeId slope = g.add(Op::reluGrad, {y, spread});
    std::vector<int64_t> over = {0, 1, 2};
    over.resize(static_cast<size_t>(axes));
    std::vector<NodeId> outputs = {slope, sum_over(g, slope, over)};
    if (pooled_again) outputs.push_back(pooled);
    return plan_of(g, outputs);
  };
  const auto size_of = [](const Plan& plan, Op op) {
    for (const Step& step : plan.steps)
      if (step.op == op) return plan.values[step.inputs.back()].shape[1];
    return int64_t{-1};
  };
  const Attrs pool = Attrs().set("poolSize", std::vector<int64_t>{2, 2});
  const Plan plan = slopes(pool, 3, true);
  check_order(plan);
  CHECK(size_of(plan, Op::reluGrad) == 4 && size_of(plan, Op::sum) == 4, "%s", describe(plan).c_str());
  CHECK(size_of(slopes(pool, 2, true), Op::sum) == 8, "sums of columns stay apart");
  CHECK(size_of(slopes(pool, 3, false), Op::reluGrad) == 8, "no pool to read");
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
    for (int output : plan.steps[i].outputs()) {
      born[root(output)] = i;
      last[root(output)] = std::max(last[root(output)], i);
    }
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
  int pairs = 0;
  for (int round = 0; round < 300; ++round) {
    Graph g;
    std::vector<NodeId> pool{g.input(Shape{4, 8}, DType::float32), variable(g, {4, 8}), variable(g, {8}),
                             variable(g, {4, 1})};
    std::vector<NodeId> outputs;
    const auto pick = [&] { return pool[random() % pool.size()]; };
    for (int i = 0; i < 25; ++i) {
      try {
        switch (random() % 8) {
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
          default: {  // gradients of a layer, in either order; as outputs, or for later nodes
            const NodeId x = pick(), d = pick();
            std::vector<NodeId>& to = random() % 2 ? pool : outputs;
            const bool first = random() % 2;
            if (first) to.push_back(sum_over(g, d, {0}, random() % 2 != 0));
            if (random() % 3 == 0) pool.push_back(g.add(Op::exp, {pick()}));
            to.push_back(g.add(Op::matmul, {x, d}, transposed_a()));
            if (!first) to.push_back(sum_over(g, d, {0}, random() % 2 != 0));
          }
        }
      } catch (const downhill::Error&) {  // shapes that do not fit
      }
    }
    PlanOptions options;
    options.outputs = {pool.back(), pick()};
    options.chains = false;
    options.outputs.insert(options.outputs.end(), outputs.begin(), outputs.end());
    options.writes = {{storage(g[pool.back()].shape.size()), pool.back()}};
    const Plan plan = make_plan(g, options);
    check_arena(plan);
    check_order(plan);
    pairs += paired(plan);
  }
  CHECK(pairs > 100, "%d products with sums in all", pairs);
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
  adds_a_bias_in_front_of_a_reshape();
  keeps_what_others_read();
  fuses_gradients_of_activations();
  sums_columns_beside_the_product();
  sums_columns_in_any_order();
  sums_columns_into_their_places();
  masks_and_sums_before_it_spreads();
  removes_dead_and_equal_nodes();
  folds_constants();
  outputs_are_written_in_place_or_copied();
  transposes_become_flags();
  arenas_of_random_graphs();
  memory_is_reused();
  shape_errors_name_op_and_shapes();
  return downhill::test::report("plan");
}
