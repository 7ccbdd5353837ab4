#include "plan/passes/chains.h"

#include <algorithm>
#include <iterator>
#include <queue>

#include "backend/reduce_passes.h"
#include "plan/memory.h"
#include "plan/passes/tails.h"

namespace downhill {

namespace {

/// Units that a search for a cycle looks at: what has more behind it is old, and as good as in memory.
constexpr int kSearched = 256;

class Fuser {
 public:
  explicit Fuser(Plan& plan)
      : plan_(plan),
        size_(static_cast<int>(plan.steps.size())),
        maker_(plan.values.size(), -1),
        unit_of_(plan.steps.size()),
        units_(plan.steps.size()),
        readers_(plan.steps.size()),
        seen_(plan.steps.size(), -1) {}

  void run() {
    for (int i = 0; i < size_; ++i) {
      Step& step = plan_.steps[at(i)];
      unit_of_[at(i)] = i;
      units_[at(i)].steps = {i};
      units_[at(i)].open = belongs(step);
      units_[at(i)].early = step.phase == Phase::forward;
      units_[at(i)].again = step.phase == Phase::again;
      const std::vector<int> makers = makers_of(step);
      for (int maker : makers) readers_[at(maker)].push_back(i);
      if (units_[at(i)].open)
        join(i, makers);
      else if (is_reduction(step.op))
        end(i);
      else
        for (int maker : makers) units_[at(unit_of_[at(maker)])].open = false;
      for (int output : step.outputs()) maker_[at(root(output))] = i;
    }
    emit();
  }

 private:
  /// Steps that run together. `row`: elements of the rows that reductions at its end go along; 0: none yet.
  struct Unit {
    std::vector<int> steps;  // ascending
    bool open = false;       // more may join
    bool draws = false;      // has a dropout or the like
    bool early = false;      // has a step of the forward pass
    bool again = false;      // has one that is computed again for the backward pass
    size_t reductions = 0;
    int64_t row = 0;
  };

  static size_t at(int i) { return static_cast<size_t>(i); }
  const Value& value(int id) const { return plan_.values[at(id)]; }
  int root(int id) const { return value(id).alias_of >= 0 ? value(id).alias_of : id; }
  const Shape& shape_of(int step) const { return value(plan_.steps[at(step)].output).shape; }

  bool belongs(const Step& step) const {
    if (value(step.output).shape.size() == 0) return false;
    if (step.op == Op::cast) return value(step.inputs[0]).dtype != value(step.output).dtype;
    return is_elementwise(step.op) || is_noise(step.op);
  }

  /// Steps that make what it reads.
  std::vector<int> makers_of(const Step& step) const {
    std::vector<int> makers;
    for (int input : step.inputs) {
      const int maker = maker_[at(root(input))];
      if (maker >= 0 && std::find(makers.begin(), makers.end(), maker) == makers.end()) makers.push_back(maker);
    }
    return makers;
  }

  /// One after the other takes the units that step i reads, where all of it stays one pass without a cycle. A reshape
  /// between two steps changes nothing: they have as many elements, so none is repeated.
  void join(int i, const std::vector<int>& makers) {
    units_[at(i)].draws = is_noise(plan_.steps[at(i)].op);
    for (int maker : makers) {
      const int unit = unit_of_[at(maker)], own = unit_of_[at(i)];
      if (unit == own || !fits(units_[at(unit)], units_[at(own)])) continue;
      merge(unit, own);
      if (has_cycle(own)) {
        unmerge(unit, own);
        continue;
      }
      units_[at(unit)] = {};
    }
  }

  /// A reduction along the rows of one unit's result becomes its end.
  void end(int i) {
    const Step& step = plan_.steps[at(i)];
    const int maker = maker_[at(root(step.inputs[0]))];
    if (maker < 0) return;
    const int unit = unit_of_[at(maker)];
    Unit& chain = units_[at(unit)];
    const int64_t row = reduced_row(plan_, step);
    if (!chain.open || row == 0 || is_reduction(plan_.steps[at(maker)].op)) return;
    if (chain.steps.size() >= kMaxChain || chain.reductions >= kMaxReductions) return;
    if ((chain.early && step.phase == Phase::again) || (chain.again && step.phase == Phase::forward)) return;
    if ((chain.row != 0 && chain.row != row) || (chain.draws && row % kDraw != 0)) return;
    chain.early |= step.phase == Phase::forward;
    chain.again |= step.phase == Phase::again;
    chain.row = row;
    ++chain.reductions;
    chain.steps.push_back(i);
    unit_of_[at(i)] = unit;
    units_[at(i)] = {};
  }

  bool fits(const Unit& a, const Unit& b) const {
    if (!a.open || !b.open || a.steps.size() + b.steps.size() > kMaxChain) return false;
    if (a.reductions + b.reductions > kMaxReductions) return false;
    if (shape_of(a.steps[0]) != shape_of(b.steps[0])) return false;
    if ((a.early && b.again) || (a.again && b.early)) return false;  // what is computed again waits for its turn
    const int64_t row = std::max(a.row, b.row);
    return (a.row == 0 || b.row == 0 || a.row == b.row) && (row % kDraw == 0 || !(a.draws || b.draws));
  }

  void merge(int from, int to) {
    Unit &a = units_[at(from)], &b = units_[at(to)];
    for (int step : a.steps) unit_of_[at(step)] = to;
    std::vector<int> both;
    std::merge(a.steps.begin(), a.steps.end(), b.steps.begin(), b.steps.end(), std::back_inserter(both));
    saved_ = b;
    b.steps = std::move(both);
    b.draws |= a.draws;
    b.early |= a.early;
    b.again |= a.again;
    b.reductions += a.reductions;
    b.row = std::max(a.row, b.row);
  }
  void unmerge(int from, int to) {
    units_[at(to)] = saved_;
    for (int step : units_[at(from)].steps) unit_of_[at(step)] = from;
  }

  /// Whether a unit reads, by way of others, what it makes itself; or may do so, by way of many.
  bool has_cycle(int unit) {
    ++search_;
    std::vector<int>& pending = pending_;
    pending.assign(1, unit);
    for (int searched = 0; !pending.empty(); ++searched) {
      if (searched == kSearched) return true;
      const int from = pending.back();
      pending.pop_back();
      for (int step : units_[at(from)].steps)
        for (int reader : readers_[at(step)]) {
          const int to = unit_of_[at(reader)];
          if (to == unit && (from != unit || is_reduction(plan_.steps[at(step)].op))) return true;
          if (to == unit || seen_[at(to)] == search_) continue;
          seen_[at(to)] = search_;
          pending.push_back(to);
        }
    }
    return false;
  }

  /// The units in an order in which what they read is there, as near to the old one as that allows.
  void emit() {
    std::vector<int> waits(at(size_), 0);
    std::vector<std::vector<int>> next(at(size_));
    for (int i = 0; i < size_; ++i)
      for (int reader : readers_[at(i)])
        if (unit_of_[at(i)] != unit_of_[at(reader)]) {
          next[at(unit_of_[at(i)])].push_back(unit_of_[at(reader)]);
          ++waits[at(unit_of_[at(reader)])];
        }
    using Entry = std::pair<int, int>;  // first step, unit
    std::priority_queue<Entry, std::vector<Entry>, std::greater<>> ready;
    const auto offer = [&](int unit) { ready.emplace(units_[at(unit)].steps[0], unit); };
    for (int unit = 0; unit < size_; ++unit)
      if (!units_[at(unit)].steps.empty() && waits[at(unit)] == 0) offer(unit);
    const std::vector<char> visible = visible_values();
    std::vector<Step> steps;
    while (!ready.empty()) {
      const int unit = ready.top().second;
      ready.pop();
      steps.push_back(step_of(units_[at(unit)], visible));
      for (int reader : next[at(unit)])
        if (--waits[at(reader)] == 0) offer(reader);
    }
    plan_.steps = std::move(steps);
  }

  /// By root: read outside of the unit that makes it.
  std::vector<char> visible_values() const {
    std::vector<char> visible(plan_.values.size(), 0);
    for (int i = 0; i < size_; ++i)
      for (int input : plan_.steps[at(i)].inputs) {
        const int maker = maker_[at(root(input))];
        if (maker >= 0 && unit_of_[at(maker)] != unit_of_[at(i)]) visible[at(root(input))] = 1;
      }
    for (int output : plan_.outputs) visible[at(root(output))] = 1;
    for (const StateWrite& write : plan_.writes) visible[at(root(write.from))] = 1;
    return visible;
  }

  Step step_of(const Unit& unit, const std::vector<char>& visible) {
    const Step& last = plan_.steps[at(unit.steps.back())];
    if (unit.steps.size() == 1) return last;
    Step chain;
    chain.op = last.op;
    chain.attrs = last.attrs;
    chain.node = last.node;
    chain.phase = last.phase;
    chain.output = last.output;
    for (int i : unit.steps) {
      Step& step = plan_.steps[at(i)];
      for (int input : step.inputs) {
        const int maker = maker_[at(root(input))];
        const bool outside = maker < 0 || unit_of_[at(maker)] != unit_of_[at(i)];
        if (outside && std::find(chain.inputs.begin(), chain.inputs.end(), input) == chain.inputs.end())
          chain.inputs.push_back(input);
      }
      if (step.output != last.output && visible[at(step.output)]) chain.more_outputs.push_back(step.output);
      if (!step.label.empty()) chain.label = step.label;
      chain.chain.push_back(step);
    }
    return chain;
  }

  Plan& plan_;
  const int size_;
  std::vector<int> maker_;    // by root value: the step that makes it
  std::vector<int> unit_of_;  // by step
  std::vector<Unit> units_;
  std::vector<std::vector<int>> readers_;  // by step: those so far that read what it makes
  std::vector<int> seen_;                  // by unit: the last search that came by
  int search_ = 0;
  std::vector<int> pending_;  // of a search
  Unit saved_;
};

}  // namespace

void fuse_chains(Plan& plan) { Fuser(plan).run(); }

Plan without_chains(Plan plan) {
  split_tails(plan);
  std::vector<Step> steps;
  for (Step& step : plan.steps)
    if (step.chain.empty())
      steps.push_back(std::move(step));
    else
      std::move(step.chain.begin(), step.chain.end(), std::back_inserter(steps));
  plan.steps = std::move(steps);
  plan.arena_bytes = assign_offsets(plan);
  return plan;
}

int64_t reduced_row(const Plan& plan, const Step& step) {
  if (!is_reduction(step.op)) return 0;
  const Shape& shape = plan.values[static_cast<size_t>(step.inputs[0])].shape;
  const std::vector<ReducePass> passes = reduce_passes(shape, step.attrs.ints("axes"));
  return shape.size() > 0 && passes.size() == 1 && passes[0].inner == 1 ? passes[0].n : 0;
}

}  // namespace downhill
