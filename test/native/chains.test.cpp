// Chains of elementwise steps: what becomes one, and that it gives the bits of the single ops.
#include "plan/passes/chains.h"

#include <algorithm>

#include "op_runner.h"

using namespace downhill;
using namespace downhill::test;

namespace {

Plan plan_of(const Graph& graph, std::vector<NodeId> outputs, bool chains = true) {
  PlanOptions options;
  options.outputs = std::move(outputs);
  options.chains = chains;
  options.tails = false;
  return make_plan(graph, options);
}

std::vector<std::string> chains_of(const Plan& plan) {
  std::vector<std::string> found;
  for (const Step& step : plan.steps) {
    std::string names;
    for (const Step& part : step.chain) names += (names.empty() ? "" : " ") + std::string(name_of(part.op));
    if (!names.empty()) found.push_back(names);
  }
  return found;
}

void expect_chains(const char* what, const Plan& plan, const std::vector<std::string>& expected) {
  CHECK(chains_of(plan) == expected, "%s:\n%s", what, describe(plan).c_str());
}

// ---- the pass -----------------------------------------------------------------------------------------------------

void a_loss_is_one_chain() {
  Graph g;
  const Shape shape{64, 10};
  const NodeId x = g.input(shape, DType::float32), t = g.input(shape, DType::float32);
  const NodeId error = g.add(Op::sub, {x, t}), square = g.add(Op::square, {error});
  const NodeId loss = g.add(Op::sum, {square}, Attrs().set("axes", std::vector<int64_t>{1}));
  const NodeId d_x = g.add(Op::mul, {error, g.scalar(2)});
  const Plan plan = plan_of(g, {loss, d_x});
  expect_chains("loss and gradient", plan, {"sub square sum mul"});
  CHECK(plan.steps.size() == 1 && plan.steps[0].inputs.size() == 3 && plan.steps[0].outputs().size() == 2, "%s",
        describe(plan).c_str());
  CHECK(plan.arena_bytes == 0, "what lies between needs no memory: %zu bytes", plan.arena_bytes);
  CHECK(flops_of(plan, plan.steps[0]) == 4 * 640 && bytes_of(plan, plan.steps[0]) == 4 * (3 * 640 + 64 + 1), "%g, %g",
        flops_of(plan, plan.steps[0]), bytes_of(plan, plan.steps[0]));
  CHECK(describe(plan).find("chain of 4") != std::string::npos &&
        describe(plan).find("     sub square sum mul\n") != std::string::npos);
}

void products_end_chains() {
  // relu(x) is read by a product; what is computed of it afterwards has to wait for the product or reads it again.
  Graph g;
  const NodeId x = g.input(Shape{8, 8}, DType::float32), w = g.input(Shape{8, 8}, DType::float32);
  const NodeId h = g.add(Op::mul, {g.add(Op::relu, {x}), g.scalar(3)});
  const NodeId d = g.add(Op::matmul, {h, w});
  const NodeId y = g.add(Op::add, {g.add(Op::mul, {h, g.scalar(5)}), g.add(Op::sub, {d, x})});
  expect_chains("around a product", plan_of(g, {y}), {"relu mul", "mul sub add"});
}

void no_chain_waits_for_itself() {
  // The row's sum goes back into the same shape: one step cannot do both.
  Graph g;
  const NodeId x = g.input(Shape{8, 12}, DType::float32);
  const NodeId e = g.add(Op::exp, {g.add(Op::abs, {x})});
  const NodeId sum = g.add(Op::sum, {e}, Attrs().set("axes", std::vector<int64_t>{1}).set("keepDims", 1));
  const NodeId y = g.add(Op::mul, {g.add(Op::square, {e}), g.add(Op::div, {e, sum})});
  const Plan plan = plan_of(g, {y});
  for (const std::string& chain : chains_of(plan))
    CHECK(chain.find("sum") == std::string::npos || chain.find("div") == std::string::npos, "%s",
          describe(plan).c_str());
  // By way of another step, a sum over columns.
  const NodeId columns = g.add(Op::sum, {e}, Attrs().set("axes", std::vector<int64_t>{0}));
  const Plan other = plan_of(g, {g.add(Op::add, {g.add(Op::neg, {e}), g.add(Op::mul, {columns, e})})});
  expect_chains("around a sum over columns", other, {"abs exp neg", "mul add"});
}

void shapes_stay_apart() {
  Graph g;
  const NodeId x = g.input(Shape{6}, DType::float32), y = g.input(Shape{4, 6}, DType::float32);
  const NodeId small = g.add(Op::neg, {g.add(Op::abs, {x})}), large = g.add(Op::relu, {g.add(Op::add, {small, y})});
  expect_chains("by shape", plan_of(g, {large}), {"abs neg", "add relu"});
  const NodeId flat = g.add(Op::reshape, {g.add(Op::abs, {y})}, Attrs().set("shape", std::vector<int64_t>{24}));
  expect_chains("through a reshape", plan_of(g, {g.add(Op::neg, {flat})}), {});
  expect_chains("without chains", plan_of(g, {large}, false), {});
}

void what_is_far_behind_is_left_alone() {
  // exp(s) is read by what comes first and what comes last; whether the two may be one is found out within limits.
  for (const int products : {10, 600}) {
    Graph g;
    const NodeId x = g.input(Shape{8, 8}, DType::float32), w = g.input(Shape{8, 8}, DType::float32);
    const NodeId s = g.input(Shape{8, 1}, DType::float32), u = g.add(Op::exp, {s});
    NodeId h = g.add(Op::mul, {x, u});
    for (int i = 0; i < products; ++i) h = g.add(Op::matmul, {h, w});
    const Plan plan = plan_of(g, {h, g.add(Op::mul, {u, s})});
    expect_chains("exp and mul", plan,
                  products == 10 ? std::vector<std::string>{"exp mul"} : std::vector<std::string>{});
  }
}

void one_step_after_the_other_again() {
  Graph g;
  const NodeId x = g.input(Shape{100}, DType::float32);
  NodeId y = x;
  for (int i = 0; i < 5; ++i) y = g.add(Op::tanh, {g.add(Op::add, {y, x})});
  const Plan plan = without_chains(plan_of(g, {y})), expected = plan_of(g, {y}, false);
  CHECK(plan.steps.size() == 10 && chains_of(plan).empty(), "%s", describe(plan).c_str());
  CHECK(describe(plan) == describe(expected), "%s\n%s", describe(plan).c_str(), describe(expected).c_str());
}

// ---- random graphs ------------------------------------------------------------------------------------------------

/// No two values that are alive at once overlap, with steps of chains one after the other; and within a chain nothing
/// is written where something is read later.
void check_arena(const Plan& plan) {
  struct Span {
    size_t begin, end;
    int from, to, value;  // alive [from, to]
  };
  const auto root = [&](int v) { return plan.values[v].alias_of >= 0 ? plan.values[v].alias_of : v; };
  std::vector<int> made(plan.values.size(), -1), read(plan.values.size(), -1);
  std::vector<char> stored(plan.values.size(), 0);
  int time = 0;
  for (const Step& step : plan.steps) {
    for (int output : step.outputs()) stored[static_cast<size_t>(output)] = 1;
    const std::vector<Step> parts = step.chain.empty() ? std::vector<Step>{step} : step.chain;
    const int first = time;
    for (const Step& part : parts) {
      for (int input : part.inputs) read[root(input)] = time;
      for (int output : part.outputs()) made[output] = is_reduction(part.op) ? first : time;
      ++time;
    }
    for (const Step& part : parts)  // broadcast operands are read by all blocks
      for (int input : part.inputs)
        if (step.chain.size() > 0 && plan.values[input].shape != plan.values[step.chain[0].output].shape)
          read[root(input)] = time - 1;
    for (int output : step.outputs()) read[output] = std::max(read[output], time - 1);
  }
  for (const StateWrite& write : plan.writes) read[root(write.from)] = time;
  std::vector<Span> spans;
  for (size_t v = 0; v < plan.values.size(); ++v)
    if (stored[v] && plan.values[v].place == Place::arena)
      spans.push_back({plan.values[v].offset, plan.values[v].offset + plan.values[v].bytes(), made[v], read[v],
                       static_cast<int>(v)});
  for (const Span& a : spans) {
    CHECK(a.end <= plan.arena_bytes);
    for (const Span& b : spans)
      CHECK(a.value == b.value || a.begin >= b.end || b.begin >= a.end || a.to <= b.from || b.to <= a.from,
            "values %d and %d share memory:\n%s", a.value, b.value, describe(plan).c_str());
  }
}

Shape chain_shape() {
  const int columns[] = {1, 2, 3, 10, 16, 100, 333, 1000, 1500, 2100, 17000, 33000};
  switch (pick(0, 5)) {
    case 0:
      return Shape{pick(1, 3000)};
    case 1:
      return Shape{pick(1, 40), pick(1, 40)};
    case 2:
      return Shape{pick(1, 3), columns[pick(0, 11)]};
    case 3:
      return Shape{pick(100, 700), columns[pick(0, 4)]};
    case 4:
      return Shape{pick(1, 9), pick(1, 20), pick(1, 40)};
    default:
      return Shape{pick(4000, 40000)};
  }
}

/// A shape that broadcasts to `shape`: some axes are 1, some leading ones are left out.
Shape broadcast_source(const Shape& shape) {
  std::vector<int64_t> dims = shape.to_vector();
  for (int64_t& dim : dims)
    if (pick(0, 2) == 0) dim = 1;
  while (!dims.empty() && pick(0, 3) == 0) dims.erase(dims.begin());
  return Shape(dims);
}

Attrs attrs_for(Op op) {
  Attrs attrs;
  if (op == Op::clip) attrs.set("low", -1.5).set("high", 2);
  if (op == Op::gelu || op == Op::geluGrad) attrs.set("approximate", pick(0, 1));
  if (op == Op::elu || op == Op::eluGrad || op == Op::leakyRelu || op == Op::leakyReluGrad) attrs.set("alpha", 0.3);
  return attrs;
}

struct RandomGraph {
  Graph graph;
  std::vector<Array> inputs;
  std::vector<NodeId> pool, outputs;

  RandomGraph() = default;
  explicit RandomGraph(const Shape& shape) {
    const int arrays = pick(1, 3), broadcasts = pick(0, 3);
    for (int i = 0; i < arrays + broadcasts; ++i) {
      const Shape own = i < arrays ? shape : broadcast_source(shape);
      inputs.push_back(pick(0, 4) == 0 ? ints(own) : floats(own));
      pool.push_back(graph.input(own, inputs.back().dtype));
    }
    const int ops = pick(2, 24);
    for (int i = 0; i < ops; ++i) grow(shape);
    outputs = {pool.back()};
    for (NodeId id : pool)
      if (pick(0, 5) == 0 && id != outputs[0]) outputs.push_back(id);
  }

  NodeId any() { return pool[static_cast<size_t>(pick(0, static_cast<int>(pool.size()) - 1))]; }
  NodeId recent() { return pool[static_cast<size_t>(std::max(0, static_cast<int>(pool.size()) - pick(1, 4)))]; }

  void grow(const Shape& shape) {
    const NodeId a = recent();
    const Shape own = graph[a].shape;
    const int kind = pick(0, 19);
    if (kind == 0)
      pool.push_back(graph.add(Op::cast, {a}, Attrs().set("dtype", pick(0, 1))));
    else if (kind == 1)
      noise(a);
    else if (kind <= 4 && own.rank() > 0)
      reduce(a, own);
    else if (kind == 5 && own.rank() > 0)
      pool.push_back(graph.add(Op::softmax, {a}, Attrs().set("axis", -1)));
    else if (kind == 6 && own == shape)
      pool.push_back(graph.add(Op::reshape, {a}, Attrs().set("shape", std::vector<int64_t>{-1})));
    else
      elementwise(a);
  }

  void noise(NodeId a) {
    const Op ops[] = {Op::dropout, Op::gaussianDropout, Op::gaussianNoise};
    const Op op = ops[pick(0, 2)];
    const char* const amount = op == Op::gaussianNoise ? "stddev" : "rate";
    pool.push_back(graph.add(op, {a}, Attrs().set(amount, 0.4).set("key", pick(1, 99))));
  }

  void reduce(NodeId a, const Shape& own) {
    const Op ops[] = {Op::sum, Op::max, Op::min};
    std::vector<int64_t> axes;
    for (int axis = own.rank() - 1; axis >= 0 && (axes.empty() || pick(0, 1)); --axis) axes.push_back(axis);
    if (pick(0, 4) == 0) axes = {0};
    pool.push_back(graph.add(ops[pick(0, 2)], {a}, Attrs().set("axes", axes).set("keepDims", pick(0, 2) > 0)));
  }

  void elementwise(NodeId a) {
    const Op op = static_cast<Op>(pick(0, kOpCount - 1));
    if (!is_elementwise(op)) return elementwise(a);
    std::vector<NodeId> operands{a};
    Shape shape = graph[a].shape;
    while (static_cast<int>(operands.size()) < row_of(op).arity) {
      const NodeId other = any();
      if (!broadcast(shape, graph[other].shape, &shape) || shape.size() > 200000) return;
      operands.insert(operands.begin() + pick(0, static_cast<int>(operands.size())), other);
    }
    pool.push_back(graph.add(op, operands, attrs_for(op)));
  }
};

/// Every node by a program of its own.
std::vector<Array> one_by_one(const RandomGraph& random, uint64_t step) {
  std::vector<Array> results;
  for (NodeId id = 0; id < random.graph.size(); ++id) {
    const Node& node = random.graph[id];
    if (node.op == Op::input) {
      results.push_back(random.inputs[static_cast<size_t>(node.index)]);
      continue;
    }
    if (node.op == Op::constant) {
      results.push_back(empty(node.shape, node.dtype));
      std::memcpy(results.back().data(), node.storage->host(), node.storage->bytes);
      continue;
    }
    std::vector<Array> operands;
    for (NodeId input : node.inputs) operands.push_back(results[static_cast<size_t>(input)]);
    results.push_back(run_program(*program_of(node.op, operands, node.attrs), operands, step));
  }
  return results;
}

std::vector<Array> run(const RandomGraph& random, bool chains, uint64_t step) {
  return run_plan(plan_of(random.graph, random.outputs, chains), random.inputs, step);
}

void random_graphs_give_the_same_bits() {
  int chains = 0, steps = 0, reductions = 0, draws = 0, several = 0;
  for (int round = 0; round < 400; ++round) {
    const RandomGraph random(chain_shape());
    const Plan plan = plan_of(random.graph, random.outputs);
    check_arena(plan);
    for (const Step& step : plan.steps) {
      chains += !step.chain.empty();
      steps += static_cast<int>(step.chain.size());
      several += !step.more_outputs.empty();
      for (const Step& part : step.chain) reductions += is_reduction(part.op), draws += is_noise(part.op);
    }
    const uint64_t step = static_cast<uint64_t>(round);
    for (const std::string& isa : cpu::available_isas()) {
      cpu::select_isa(isa);
      cpu::set_threads(1);
      const std::vector<Array> single = one_by_one(random, step), unfused = run(random, false, step);
      for (int threads = 1; threads <= 3; ++threads) {
        cpu::set_threads(threads);
        const std::vector<Array> fused = run(random, true, step);
        for (size_t i = 0; i < fused.size(); ++i) {
          const size_t id = static_cast<size_t>(random.outputs[i]);
          CHECK(same_bits(fused[i], unfused[i]) && same_bits(fused[i], single[id]),
                "round %d, %s, %d threads: output %zu differs, %s\n%s", round, isa.c_str(), threads, i,
                random.graph.to_string().c_str(), describe(plan).c_str());
        }
      }
    }
  }
  CHECK(chains > 200 && steps > 4 * chains && reductions > 50 && draws > 20 && several > 20,
        "the graphs have too little of what is tested: %d chains of %d steps, %d reductions, %d dropouts, %d several",
        chains, steps, reductions, draws, several);
}

/// As many results as a chain can have, all alive at once, with operands that have to be brought into buffers.
void long_chains_are_cut() {
  for (const Shape& shape : {Shape{7, 300}, Shape{3, 5000}}) {
    RandomGraph wide;
    Graph& g = wide.graph;
    const auto input = [&](const Shape& own) {
      wide.inputs.push_back(floats(own));
      return g.input(own, DType::float32);
    };
    const NodeId x = input(shape);
    std::vector<NodeId> products;
    for (int i = 0; i < 100; ++i)
      products.push_back(g.add(Op::where, {x, input(Shape{shape[0], 1}), input(Shape{shape[1]})}));
    NodeId total = x;
    for (int i = 100; i-- > 0;) total = g.add(Op::sub, {products[static_cast<size_t>(i)], total});
    wide.outputs = {total, g.add(Op::sum, {total})};
    const Plan plan = plan_of(g, wide.outputs);
    check_arena(plan);
    size_t longest = 0;
    for (const Step& step : plan.steps) longest = std::max(longest, step.chain.size());
    CHECK(longest > kMaxChain / 2 && longest <= kMaxChain, "%zu steps", longest);
    cpu::select_isa(cpu::available_isas().back());
    const std::vector<Array> fused = run(wide, true, 0), unfused = run(wide, false, 0);
    CHECK(same_bits(fused[0], unfused[0]) && same_bits(fused[1], unfused[1]));
  }
}

}  // namespace

int main() {
  a_loss_is_one_chain();
  products_end_chains();
  no_chain_waits_for_itself();
  shapes_stay_apart();
  what_is_far_behind_is_left_alone();
  one_step_after_the_other_again();
  random_graphs_give_the_same_bits();
  long_chains_are_cut();
  return report("chains");
}
