// What follows a matrix product on its finished blocks: which steps do, and that they give the bits of the single ops.
#include "plan/passes/tails.h"

#include <algorithm>

#include "op_runner.h"
#include "plan/passes/chains.h"

using namespace downhill;
using namespace downhill::test;

namespace {

Plan plan_of(const Graph& graph, std::vector<NodeId> outputs, bool tails = true) {
  PlanOptions options;
  options.outputs = std::move(outputs);
  options.tails = tails;
  return make_plan(graph, options);
}

/// Names of the products with all that is fused to them, in order.
std::vector<std::string> products_of(const Plan& plan) {
  std::vector<std::string> found;
  for (const Step& step : plan.steps)
    if (step.op == Op::matmul) found.push_back(name_of(step));
  return found;
}

void expect_products(const char* what, const Plan& plan, const std::vector<std::string>& expected, size_t steps) {
  CHECK(products_of(plan) == expected && plan.steps.size() == steps, "%s:\n%s", what, describe(plan).c_str());
}

Attrs dropped(int key = 7, double rate = 0.4) { return Attrs().set("rate", rate).set("key", key); }
Attrs shaped(std::vector<int64_t> shape) { return Attrs().set("shape", std::move(shape)); }

// ---- the pass -----------------------------------------------------------------------------------------------------

struct Layer {
  Graph g;
  const NodeId x = g.input(Shape{6, 5}, DType::float32), w = g.input(Shape{5, 8}, DType::float32),
               b = g.input(Shape{8}, DType::float32), other = g.input(Shape{6, 8}, DType::float32),
               product = g.add(Op::matmul, {x, w}), biased = g.add(Op::add, {product, b});
};

void what_may_follow() {
  Layer l;
  Graph& g = l.g;
  const NodeId active = g.add(Op::tanh, {l.biased}), dropout = g.add(Op::dropout, {active}, dropped());
  expect_products("a dropout", plan_of(g, {dropout}), {"matmul+bias+tanh+dropout"}, 1);
  const NodeId residual = g.add(Op::add, {dropout, l.other});
  const Plan plan = plan_of(g, {residual});
  expect_products("and a residual", plan, {"matmul+bias+tanh+dropout+add"}, 1);
  CHECK(plan.steps[0].inputs.size() == 4 && plan.steps[0].outputs().size() == 1 && plan.arena_bytes == 0, "%s",
        describe(plan).c_str());
  CHECK(flops_of(plan, plan.steps[0]) == 2 * 48 * 5 + 48 + 48 + 48, "%g", flops_of(plan, plan.steps[0]));
  expect_products("the residual on the left", plan_of(g, {g.add(Op::sub, {l.other, l.product})}), {"matmul+sub"}, 1);
  expect_products("a scalar", plan_of(g, {g.add(Op::mul, {l.product, g.scalar(3)})}), {"matmul+mul"}, 1);
  expect_products("the result twice", plan_of(g, {g.add(Op::mul, {l.product, l.product})}), {"matmul+mul"}, 1);
  const NodeId flat = g.add(Op::reshape, {l.product}, shaped({48}));
  expect_products("behind a reshape", plan_of(g, {g.add(Op::dropout, {flat}, dropped())}), {"matmul+dropout"}, 1);
  expect_products("unless told so", plan_of(g, {residual}, false), {"matmul+bias+tanh"}, 2);
}

void what_others_read() {
  Layer l;
  Graph& g = l.g;
  const NodeId active = g.add(Op::tanh, {l.biased}), dropout = g.add(Op::dropout, {active}, dropped());
  const Plan plan = plan_of(g, {active, dropout});
  expect_products("what a dropout reads is an output too", plan, {"matmul+bias+tanh+dropout"}, 1);
  CHECK(plan.steps[0].outputs() == plan.outputs, "%s", describe(plan).c_str());
  const NodeId sum = g.add(Op::add, {active, l.other});
  expect_products("an addition does not pay then", plan_of(g, {active, sum}), {"matmul+bias+tanh"}, 2);
  const NodeId d = g.add(Op::tanhGrad, {active, l.other}), v = g.input(Shape{8, 5}, DType::float32);
  const NodeId backward = g.add(Op::dropout, {g.add(Op::matmul, {d, v})}, dropped(8));
  const NodeId loop = g.add(Op::matmul, {g.add(Op::matmul, {dropout, v}), l.w});
  expect_products("backward", plan_of(g, {backward, dropout}), {"matmul+bias+tanh+dropout", "matmul+dropout"}, 3);
  expect_products("what came before is read", plan_of(g, {g.add(Op::add, {l.product, loop})}),
                  {"matmul", "matmul", "matmul+add"}, 4);
  const NodeId early = g.add(Op::matmul, {l.x, l.w}), late = g.add(Op::softmax, {l.other}, Attrs().set("axis", -1));
  expect_products("what comes later cannot be", plan_of(g, {g.add(Op::add, {early, late})}), {"matmul"}, 3);
}

void what_may_not() {
  Layer l;
  Graph& g = l.g;
  const NodeId row = g.input(Shape{8}, DType::float32), column = g.input(Shape{6, 1}, DType::float32);
  expect_products("columns", plan_of(g, {g.add(Op::mul, {l.product, column})}), {"matmul"}, 2);
  expect_products("rows", plan_of(g, {g.add(Op::mul, {l.product, row})}), {"matmul"}, 2);
  const NodeId larger = g.input(Shape{2, 6, 8}, DType::float32);
  expect_products("a larger result", plan_of(g, {g.add(Op::add, {l.product, larger})}), {"matmul"}, 2);
  expect_products("another type", plan_of(g, {g.add(Op::greater, {l.product, l.other})}), {"matmul"}, 2);
  NodeId y = l.product;
  for (size_t i = 0; i < kMaxTail + 2; ++i) y = g.add(Op::add, {y, l.other});
  expect_products("more than fit", plan_of(g, {y}), {"matmul+add+add+add+add"}, 2);
  const NodeId d = g.input(Shape{6, 8}, DType::float32),
               gradient = g.add(Op::matmul, {l.x, d}, Attrs().set("transposeA", 1)),
               sums = g.add(Op::sum, {d}, Attrs().set("axes", std::vector<int64_t>{0})),
               halved = g.add(Op::mul, {gradient, g.scalar(0.5)});
  expect_products("a product with column sums", plan_of(g, {halved, sums}), {"matmul+columnSums"}, 2);
}

void split_again() {
  Layer l;
  Graph& g = l.g;
  const NodeId active = g.add(Op::tanh, {l.biased}), dropout = g.add(Op::dropout, {active}, dropped()),
               residual = g.add(Op::add, {dropout, l.other}),
               last = g.add(Op::geluGrad, {l.x, g.add(Op::matmul, {residual, l.w}, Attrs().set("transposeB", 1))},
                            Attrs().set("approximate", 0));
  for (const std::vector<NodeId>& outputs : {std::vector<NodeId>{residual}, {active, residual}, {last, dropout}}) {
    const Plan plan = without_chains(plan_of(g, outputs)), expected = without_chains(plan_of(g, outputs, false));
    CHECK(describe(plan) == describe(expected), "%s\n%s", describe(plan).c_str(), describe(expected).c_str());
  }
}

// ---- a relu behind which a dropout is -----------------------------------------------------------------------------

/// The gradient reads what the dropout left, draws nothing, and has the bits that it has otherwise.
void relu_and_dropout() {
  constexpr float kInf = std::numeric_limits<float>::infinity(), kNan = std::numeric_limits<float>::quiet_NaN();
  for (double rate : {0.1, 0.5, 0.9375, 1.0 - 0x1p-20}) {
    Array x = floats(Shape{40, 130}), d = floats(Shape{40, 130});
    const float specials[] = {0.0f, -0.0f, kInf, -kInf, kNan, 1e-45f, -1e-45f, 3e38f};
    for (size_t i = 0; i < x.f.size(); i += 3) x.f[i] = specials[i / 3 % 8];
    for (size_t i = 0; i < d.f.size(); i += 5) d.f[i] = specials[i / 5 % 8];
    Graph g;
    const NodeId in = g.input(x.shape, DType::float32), d_in = g.input(x.shape, DType::float32);
    const NodeId y = g.add(Op::relu, {in}), kept = g.add(Op::dropout, {y}, dropped(3, rate)),
                 back = g.add(Op::dropout, {d_in}, dropped(3, rate)), gradient = g.add(Op::reluGrad, {y, back});
    const Plan plan = plan_of(g, {kept, gradient});
    int draws = 0;
    for (const Step& step : plan.steps) {
      draws += step.op == Op::dropout && step.chain.empty();
      for (const Step& part : step.chain) draws += part.op == Op::dropout;
    }
    CHECK(draws == 1, "%s", describe(plan).c_str());
    for (const std::string& isa : cpu::available_isas()) {
      cpu::select_isa(isa);
      const Array y1 = run_program(*program_of(Op::relu, {x}, {}), {x}, 0),
                  kept1 = run_program(*program_of(Op::dropout, {y1}, dropped(3, rate)), {y1}, 5),
                  back1 = run_program(*program_of(Op::dropout, {d}, dropped(3, rate)), {d}, 5),
                  gradient1 = run_program(*program_of(Op::reluGrad, {y1, back1}, {}), {y1, back1}, 5);
      const std::vector<Array> results = run_plan(plan_of(g, {kept, gradient}), {x, d}, 5);
      CHECK(same_bits(results[0], kept1) && same_bits(results[1], gradient1), "%s, rate %g", isa.c_str(), rate);
    }
  }
  Graph g;  // of another key, or of something else
  const NodeId x = g.input(Shape{8, 8}, DType::float32), d = g.input(Shape{8, 8}, DType::float32),
               y = g.add(Op::relu, {x}), kept = g.add(Op::dropout, {y}, dropped(1)),
               other = g.add(Op::dropout, {x}, dropped(2));
  for (NodeId saved : {y, x}) {
    const NodeId back = g.add(Op::dropout, {d}, dropped(saved == y ? 2 : 1)),
                 gradient = g.add(Op::reluGrad, {saved, back});
    const Plan plan = plan_of(g, {kept, other, gradient});
    CHECK(describe(plan).find("mul") == std::string::npos, "%s", describe(plan).c_str());
  }
}

// ---- random products ----------------------------------------------------------------------------------------------

struct Random {
  Graph graph;
  std::vector<Array> inputs;
  std::vector<NodeId> outputs;

  NodeId input(const Shape& shape) {
    inputs.push_back(floats(shape, -2, 2));
    return graph.input(shape, DType::float32);
  }

  explicit Random(int round) {
    const bool large = round % 5 == 0;
    const auto side = [&] { return large ? pick(30, 300) : pick(1, 40); };
    const int64_t m = side(), n = side(), k = large ? pick(100, 700) : pick(1, 40), batch = pick(1, 3);
    const bool t_a = pick(0, 1), t_b = pick(0, 1);
    const int kind = pick(0, 3);  // 0: batches of both, 1: of a alone, else of none
    const std::vector<int64_t> a = t_a ? std::vector<int64_t>{k, m} : std::vector<int64_t>{m, k},
                               b = t_b ? std::vector<int64_t>{n, k} : std::vector<int64_t>{k, n};
    const auto batched = [&](std::vector<int64_t> dims, bool yes) {
      if (yes) dims.insert(dims.begin(), batch);
      return Shape(dims);
    };
    const NodeId x = input(batched(a, kind <= 1)), w = input(batched(b, kind == 0));
    NodeId y = graph.add(Op::matmul, {x, w}, Attrs().set("transposeA", t_a).set("transposeB", t_b));
    const Shape shape = batched({m, n}, kind <= 1);
    const NodeId other = input(shape), row = input(Shape{n});
    std::vector<NodeId> pool;
    const auto push = [&](Op op, const std::vector<NodeId>& operands, const Attrs& attrs = {}) {
      pool.push_back(y = graph.add(op, operands, attrs));
    };
    if (pick(0, 1)) push(Op::add, {y, row});
    if (pick(0, 1)) pick(0, 1) ? push(Op::tanh, {y}) : push(Op::siluGrad, {other, y});
    for (int i = pick(1, 5); i > 0; --i) switch (pick(0, 6)) {
        case 0:
          push(Op::add, {y, other});
          break;
        case 1:
          push(Op::sub, {other, y});
          break;
        case 2:
          push(Op::mul, {y, graph.scalar(1.25)});
          break;
        case 3:
          push(Op::reluGrad, {other, y});
          break;
        case 4:
          push(Op::where, {other, y, other});
          break;
        case 5:
          push(Op::gaussianNoise, {y}, Attrs().set("stddev", 0.4).set("key", pick(1, 99)));
          break;
        default:
          push(pick(0, 1) ? Op::dropout : Op::gaussianDropout, {y}, dropped(pick(1, 99)));
      }
    outputs = {y};
    for (NodeId id : pool)
      if (id != y && pick(0, 5) == 0) outputs.push_back(id);
  }
};

void random_products_give_the_same_bits() {
  int tails = 0, draws = 0, several = 0;
  for (int round = 0; round < 250; ++round) {
    const Random random(round);
    const Plan plan = plan_of(random.graph, random.outputs);
    for (const Step& step : plan.steps) {
      tails += !step.tail.empty(), several += !step.more_outputs.empty();
      for (const Step& part : step.tail) draws += is_noise(part.op);
    }
    for (const std::string& isa : cpu::available_isas()) {
      cpu::select_isa(isa);
      cpu::set_threads(1);
      const auto step = static_cast<uint64_t>(round);
      const std::vector<Array> single = run_plan(plan_of(random.graph, random.outputs, false), random.inputs, step);
      for (int threads = 1; threads <= 3; ++threads) {
        cpu::set_threads(threads);
        const std::vector<Array> fused = run_plan(plan, random.inputs, step);
        for (size_t i = 0; i < fused.size(); ++i)
          CHECK(same_bits(fused[i], single[i]), "round %d, %s, %d threads: output %zu differs\n%s", round, isa.c_str(),
                threads, i, describe(plan).c_str());
      }
    }
  }
  CHECK(tails > 150 && draws > 60 && several > 20, "too little of what is tested: %d tails, %d dropouts, %d several",
        tails, draws, several);
}

}  // namespace

int main() {
  what_may_follow();
  what_others_read();
  what_may_not();
  split_again();
  relu_and_dropout();
  random_products_give_the_same_bits();
  return downhill::test::report("tails");
}
