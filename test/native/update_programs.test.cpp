// Graph programs that follow an update's pass: scalars of the step, averages, accumulation, mixed rules, and what is
// refused.
#include "optim/update_programs.h"
#include "errors.h"

#include <cmath>
#include <cstring>
#include <string>

#include "check.h"
#include "core/error.h"
#include "optim/updater.h"

using namespace downhill;
using namespace downhill::test;

namespace {

constexpr int kSize = 5;

struct Arena {
  explicit Arena(std::vector<size_t> sizes) {
    size_t bytes = 0;
    for (const size_t size : sizes) bytes += (size * 4 + kAlignment - 1) / kAlignment * kAlignment;
    const auto buffer = std::make_shared<Buffer>(bytes);
    size_t offset = 0;
    for (const size_t size : sizes) {
      views.push_back({buffer, offset, size * 4, nullptr});
      offset += (size * 4 + kAlignment - 1) / kAlignment * kAlignment;
    }
  }
  std::vector<Storage> views;
};

float* at(const Storage& storage) { return reinterpret_cast<float*>(storage.data()); }
std::shared_ptr<Storage> shared(const Storage& storage) { return std::make_shared<Storage>(storage); }

/// Two variables: the first is updated by a program, p ← p - rate·g and its average, the second by sgd.
struct Mixed {
  Arena parameters{{kSize, kSize}}, gradients{{kSize, kSize}}, accumulators{{kSize, kSize}}, averages{{kSize, kSize}};
  Arena prepared{{kSize}}, scalars{{1}}, head{{1, 1, 1}};

  NodeId leaf(Graph& graph, const Storage& storage, int64_t size) {
    return graph.variable(shared(storage), size == 0 ? Shape{} : Shape{size}, DType::float32);
  }

  UpdateGraphs graphs() {
    Graph graph;
    const NodeId p = leaf(graph, parameters.views[0], kSize), g = leaf(graph, prepared.views[0], kSize),
                 e = leaf(graph, averages.views[0], kSize), rate = leaf(graph, scalars.views[0], 0),
                 keep = leaf(graph, head.views[0], 0), take = leaf(graph, head.views[1], 0),
                 overwrite = leaf(graph, head.views[2], 0);
    const NodeId next = graph.add(Op::sub, {p, graph.add(Op::mul, {rate, g})});
    const NodeId mean = graph.add(Op::add, {graph.add(Op::mul, {keep, e}), graph.add(Op::mul, {take, next})});
    PlanOptions options;
    options.writes = {{shared(averages.views[0]), mean},
                      {shared(parameters.views[0]), graph.add(Op::where, {overwrite, mean, next})}};
    UpdateGraphs result;
    result.plans.push_back(make_plan(graph, options));
    result.scalars = {{0, scalars.views}, {kHeadScalars, head.views}};
    return result;
  }

  std::vector<UpdateSegment> segments() {
    return {{parameters.views[0], gradients.views[0], {prepared.views[0]}, 0, accumulators.views[0], {}},
            {parameters.views[1], gradients.views[1], {}, 1, accumulators.views[1], averages.views[1]}};
  }
};

UpdateOptions options_of(Mixed& model) {
  UpdateOptions options;
  options.global_clip_norm = 0.9;
  options.accumulation_steps = 2;
  options.average = true;
  options.ema_momentum = 0.7;
  options.ema_overwrite_frequency = 3;
  options.rules = {Rule::muon, Rule::sgd};
  options.graphs = model.graphs();
  return options;
}

Hyper hyper() {
  Hyper h;
  h.learning_rate = 0.3;
  h.weight_decay = 0.1;
  return h;
}

/// Both variables hold the same numbers and must go on doing so: the program is sgd.
void test_mixed() {
  Mixed model;
  for (const Storage& storage : model.parameters.views)
    for (int i = 0; i < kSize; ++i) at(storage)[i] = static_cast<float>(i) - 1.7f;
  Updater updater(Rule::sgd, model.segments(), {hyper(), hyper()}, options_of(model));
  int64_t allocations = 0;
  for (int step = 0; step < 12; ++step) {
    for (const Storage& storage : model.gradients.views)
      for (int i = 0; i < kSize; ++i) at(storage)[i] = std::sin(static_cast<float>(3 * step + i));
    const std::vector<float> before(at(model.parameters.views[0]), at(model.parameters.views[0]) + kSize);
    CHECK(updater.applies(step) == (step % 2 == 1));
    updater.apply();
    bool moved = false;
    for (int i = 0; i < kSize; ++i) {
      moved = moved || at(model.parameters.views[0])[i] != before[static_cast<size_t>(i)];
      CHECK(at(model.parameters.views[0])[i] == at(model.parameters.views[1])[i], "step %d", step);
      CHECK(at(model.averages.views[0])[i] == at(model.averages.views[1])[i], "average of step %d", step);
    }
    CHECK(moved == (step % 2 == 1));
    if (step == 1) allocations = Buffer::total_allocations();
  }
  CHECK(Buffer::total_allocations() == allocations);
}

void test_rates() {
  Hyper h = hyper();
  h.rate_ratio = 0.5;
  Mixed model;
  Updater updater(Rule::sgd, model.segments(), {h, h}, options_of(model));
  StepHead head;
  GroupStep steps[2];
  updater.plan(1, 1, &head, steps);
  float rate = 0;
  std::memcpy(&rate, steps[0].rule.bytes, sizeof rate);
  CHECK(rate == 0.15f && steps[0].decay == 0.03f, "the ratio is the rule's alone");
  h.rate_ratio = 1;
  CHECK(decays_itself(Rule::torchAdafactor) && !decays_itself(Rule::adafactor));
  const RuleBytes bytes = build_rule(Rule::torchAdafactor, h, 16);
  float values[4];
  std::memcpy(values, bytes.bytes, sizeof values);
  CHECK(values[0] == 0.25f, "at most 1/√t");
  CHECK(values[1] == static_cast<float>(1 - std::pow(16, -0.8)) && values[2] == static_cast<float>(std::pow(16, -0.8)));
  CHECK(values[3] == 0.03f && scalars_of(Rule::torchAdafactor) == 4 && scalars_of(Rule::sgd) == 0);
}

void test_refused() {
  Mixed model;
  const auto refused = [&](auto change) {
    UpdateOptions options = options_of(model);
    change(options);
    return code_of([&] { Updater(Rule::sgd, model.segments(), {hyper(), hyper()}, options); });
  };
  CHECK(refused([](UpdateOptions&) {}) == "none");
  CHECK(refused([](UpdateOptions& options) { options.rules = {Rule::muon}; }) == code::kInvalidArgument);
  CHECK(refused([](UpdateOptions& options) { options.graphs.scalars[0].group = 2; }) == code::kOutOfRange);
  CHECK(refused([](UpdateOptions& options) { options.graphs.scalars[0].group = -2; }) == code::kOutOfRange);
  CHECK(refused([](UpdateOptions& options) { options.graphs.scalars[0].group = 1; }) == code::kInternal);
  CHECK(refused([](UpdateOptions& options) { options.graphs.scalars[1].at[1] = options.graphs.scalars[1].at[2]; }) ==
        code::kInternal);
  CHECK(refused([](UpdateOptions& options) {
          Graph graph;
          PlanOptions plan;
          plan.outputs = {graph.add(Op::neg, {graph.input({2}, DType::float32)})};
          options.graphs.plans.push_back(make_plan(graph, plan));
        }) == code::kInternal);
  CHECK(refused([&](UpdateOptions& options) {
          Graph graph;
          const NodeId p = model.leaf(graph, model.parameters.views[0], kSize);
          const auto indices = std::make_shared<Storage>(Arena({kSize}).views[0]);
          Attrs axis;
          PlanOptions plan;
          plan.writes = {{shared(model.parameters.views[0]),
                          graph.add(Op::gather, {p, graph.constant(indices, {kSize}, DType::int32)}, axis)}};
          options.graphs.plans.push_back(make_plan(graph, plan));
        }) == code::kUnsupported);
}

}  // namespace

int main() {
  test_mixed();
  test_rates();
  test_refused();
  return report("update_programs");
}
