#include "plan/passes/tails.h"

#include <algorithm>

#include "graph/normalization.h"

namespace downhill {

namespace {

class Fuser {
 public:
  explicit Fuser(Plan& plan)
      : plan_(plan), maker_(plan.values.size(), -1), readers_(plan.values.size()), taken_(plan.steps.size(), false) {
    for (size_t i = 0; i < plan.steps.size(); ++i) {
      for (int output : plan.steps[i].outputs()) maker_[root(output)] = static_cast<int>(i);
      for (int input : plan.steps[i].inputs) add_reader(input, static_cast<int>(i));
    }
    for (int output : plan.outputs) add_reader(output, kKept);
    for (const StateWrite& write : plan.writes) add_reader(write.from, kKept);
  }

  void run() {
    for (size_t i = 0; i < plan_.steps.size(); ++i)
      if (may_have_tail(plan_.steps[i]) && size_of(plan_.steps[i].output) > 0) extend(static_cast<int>(i));
    size_t kept = 0;
    for (size_t i = 0; i < plan_.steps.size(); ++i)
      if (!taken_[i]) {
        if (kept != i) plan_.steps[kept] = std::move(plan_.steps[i]);
        ++kept;
      }
    plan_.steps.resize(kept);
  }

 private:
  static constexpr int kKept = -1;  // reader: whoever wants the value when all steps have run

  static bool may_have_tail(const Step& step) {
    if (step.op == Op::matmul) return step.column_sums < 0;
    return is_normalization(step.op) && !is_scale_gradient(step.op);
  }

  const Value& value(int id) const { return plan_.values[static_cast<size_t>(id)]; }
  size_t root(int id) const { return static_cast<size_t>(value(id).alias_of >= 0 ? value(id).alias_of : id); }
  int64_t size_of(int id) const { return value(id).shape.size(); }
  std::vector<int>& readers(int id) { return readers_[root(id)]; }

  void add_reader(int id, int step) {
    if (readers(id).empty() || readers(id).back() != step) readers(id).push_back(step);
  }

  void extend(int i) {
    Step& product = plan_.steps[static_cast<size_t>(i)];
    std::vector<int> made{product.output}, outside;
    while (product.tail.size() < kMaxTail) {
      const int next = follower(made.back(), i);
      if (next < 0) break;
      const Step& part = plan_.steps[static_cast<size_t>(next)];
      for (int input : part.inputs)
        if (root(input) != root(made.back()) && std::find(outside.begin(), outside.end(), input) == outside.end())
          outside.push_back(input);
      made.push_back(part.output);
      maker_[root(part.output)] = i;
      taken_[static_cast<size_t>(next)] = true;
      product.tail.push_back(part);
    }
    if (product.tail.empty()) return;
    product.sums = product.output;
    product.own_inputs = product.inputs.size();
    product.inputs.insert(product.inputs.end(), outside.begin(), outside.end());
    // The product and what follows is written where the next result lies that somebody else reads.
    std::vector<int> seen;
    for (size_t k = 0; k < made.size(); ++k)
      if (k + 1 == made.size() || readers(made[k]).size() > 1) seen.push_back(made[k]);
    product.output = seen.front();
    product.more_outputs.assign(seen.begin() + 1, seen.end());
  }

  /// The step that may follow; -1: none.
  int follower(int result, int product) {
    const std::vector<int>& all = readers(result);
    for (int step : all)
      if (step != kKept && !taken_[static_cast<size_t>(step)] &&
          may_follow(plan_.steps[static_cast<size_t>(step)], result, product, all.size() == 1))
        return step;
    return -1;
  }

  bool may_follow(const Step& step, int result, int product, bool alone) const {
    if (step.phase == Phase::again && plan_.steps[static_cast<size_t>(product)].phase == Phase::forward) return false;
    if (!is_noise(step.op) && !(alone && is_elementwise(step.op))) return false;
    if (value(step.output).dtype != DType::float32 || size_of(step.output) != size_of(result)) return false;
    return std::all_of(step.inputs.begin(), step.inputs.end(), [&](int input) {
      if (value(input).dtype != DType::float32) return false;
      if (root(input) == root(result)) return true;
      return (size_of(input) == size_of(result) || size_of(input) == 1) && maker_[root(input)] < product;
    });
  }

  Plan& plan_;
  std::vector<int> maker_;                 // by root: the step that makes it, or the product that it is a tail of
  std::vector<std::vector<int>> readers_;  // by root
  std::vector<char> taken_;                // by step
};

}  // namespace

void fuse_tails(Plan& plan) { Fuser(plan).run(); }

void split_tails(Plan& plan) {
  std::vector<Step> steps;
  for (Step& step : plan.steps) {
    std::vector<Step> tail = std::move(step.tail);
    if (!tail.empty()) {
      step.tail.clear();
      step.output = step.sums;
      step.more_outputs.clear();
      step.inputs.resize(step.own_inputs);
    }
    steps.push_back(std::move(step));
    std::move(tail.begin(), tail.end(), std::back_inserter(steps));
  }
  plan.steps = std::move(steps);
}

}  // namespace downhill
