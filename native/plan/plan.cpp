// From a rewritten graph to steps: epilogue fusion, where values live, liveness, and offsets in one arena.
#include "plan/plan.h"

#include <algorithm>
#include <unordered_set>

#include "core/error.h"
#include "plan/memory.h"
#include "plan/passes/chains.h"
#include "plan/passes/column_sums.h"
#include "plan/passes/epilogue.h"
#include "plan/passes/normalization.h"
#include "plan/passes/passes.h"
#include "plan/passes/recompute.h"
#include "plan/passes/tails.h"

namespace downhill {

namespace {

class Planner {
 public:
  Planner(const Ir& ir, const Graph& graph, const PlanOptions& options)
      : ir_(ir),
        options_(options),
        fusion_(fuse_epilogues(ir)),
        normalizations_(join_normalization_gradients(ir)),
        pairs_(pair_column_sums(ir, fusion_, sums_of(normalizations_, ir.nodes.size()))),
        value_of_(ir.nodes.size(), -1) {
    plan_.inputs.assign(graph.input_count(), -1);
  }

  Plan make() {
    for (NodeId id = 0; id < static_cast<NodeId>(ir_.nodes.size()); ++id) lower(id);
    place_outputs();
    place_writes();
    if (options_.tails) fuse_tails(plan_);
    if (options_.chains) fuse_chains(plan_);
    plan_.arena_bytes = assign_offsets(plan_);
    collect_variables();
    return std::move(plan_);
  }

 private:
  int new_value(const Node& node) {
    Value value;
    value.shape = node.shape;
    value.dtype = node.dtype;
    plan_.values.push_back(value);
    root_.push_back(static_cast<int>(plan_.values.size()) - 1);
    made_by_step_.push_back(false);
    return static_cast<int>(plan_.values.size()) - 1;
  }

  void lower(NodeId id) {
    const Node& node = ir_.nodes[id];
    if (fusion_.absorbed[id] || value_of_[id] >= 0) return;
    const int value = value_of_[id] = new_value(node);
    switch (node.op) {
      case Op::input:
        plan_.values[value].place = Place::input;
        plan_.values[value].index = node.index;
        plan_.inputs[node.index] = value;
        return;
      case Op::constant:
      case Op::variable:
        plan_.values[value].place = Place::storage;
        plan_.values[value].storage = node.storage;
        return;
      case Op::reshape:
        lower(node.inputs[0]);  // done, unless this one is wanted early
        root_[value] = root_[value_of_[node.inputs[0]]];
        return;
      default:
        break;
    }
    if (const auto pair = pairs_.find(id); pair != pairs_.end()) return lower_pair(pair->second);
    if (const auto joined = normalizations_.find(id); joined != normalizations_.end())
      return lower_normalization(joined->second);
    made_by_step_[value] = true;
    Step step;
    step.node = id;
    step.output = value;
    step.label = node.label;
    step.phase = node.phase;
    const auto fused = fusion_.steps.find(id);
    if (fused != fusion_.steps.end()) {
      step.op = fused->second.op;
      step.attrs = fused->second.attrs;
      step.epilogue = fused->second.epilogue;
      for (NodeId input : fused->second.inputs) step.inputs.push_back(value_of_[input]);
    } else {
      step.op = node.op;
      step.attrs = node.attrs;
      for (NodeId input : node.inputs) step.inputs.push_back(value_of_[input]);
    }
    plan_.steps.push_back(std::move(step));
  }

  /// Both nodes in one step, at the place of the earlier one.
  void lower_pair(const SummedProduct& pair) {
    Step step = early_step(pair.product);
    step.column_sums = value_made_by_step(pair.sums);
    plan_.steps.push_back(std::move(step));
  }

  void lower_normalization(const NormalizationGradients& joined) {
    Step step = early_step(joined.main());
    if (joined.x >= 0 && joined.scale >= 0) step.scale_gradient = value_made_by_step(joined.scale);
    if (joined.sums >= 0) step.column_sums = value_made_by_step(joined.sums);
    plan_.steps.push_back(std::move(step));
  }

  /// The step of a node that may come later; what it reads is there.
  Step early_step(NodeId id) {
    const Node& node = ir_.nodes[id];
    Step step;
    step.op = node.op;
    step.attrs = node.attrs;
    step.node = id;
    step.label = node.label;
    step.phase = node.phase;
    for (NodeId input : node.inputs) {
      if (ir_.nodes[input].op == Op::reshape) lower(input);  // may come later
      step.inputs.push_back(value_of_[input]);
    }
    step.output = value_made_by_step(id);
    return step;
  }

  static std::vector<char> sums_of(const std::unordered_map<NodeId, NormalizationGradients>& all, size_t nodes) {
    std::vector<char> taken(nodes, 0);
    for (const auto& [first, joined] : all)
      if (joined.sums >= 0) taken[static_cast<size_t>(joined.sums)] = 1;
    return taken;
  }

  int value_made_by_step(NodeId id) {
    if (value_of_[id] < 0) value_of_[id] = new_value(ir_.nodes[id]);
    made_by_step_[value_of_[id]] = true;
    return value_of_[id];
  }

  /// An output is written in place by the step that makes it; when that is impossible, a copy is added.
  void place_outputs() {
    std::unordered_set<int> taken;
    for (size_t i = 0; i < ir_.outputs.size(); ++i) {
      const NodeId id = ir_.outputs[i];
      const int value = value_of_[id], root = root_[value];
      const std::shared_ptr<Storage> target = i < options_.targets.size() ? options_.targets[i] : nullptr;
      if (target && target->bytes != plan_.values[value].bytes())
        throw Error(code::kShapeMismatch, "A target of " + std::to_string(target->bytes) +
                                              " bytes was given for output " + std::to_string(i) + " of shape " +
                                              plan_.values[value].shape.to_string() + ".");
      int destination = root;
      if (!made_by_step_[root] || !taken.insert(root).second) {
        destination = new_value(ir_.nodes[id]);
        made_by_step_[destination] = true;
        Step copy;
        copy.inputs = {value};
        copy.output = destination;
        copy.node = id;
        plan_.steps.push_back(copy);
      }
      plan_.values[destination].place = target ? Place::storage : Place::output;
      plan_.values[destination].storage = target;
      plan_.values[destination].index = static_cast<int>(i);
      plan_.outputs.push_back(destination == root ? value : destination);
    }
    for (size_t value = 0; value < plan_.values.size(); ++value) share_place(static_cast<int>(value));
  }

  /// A reshape reads and writes where its source lives.
  void share_place(int value) {
    const int root = root_[value];
    if (root == value) return;
    plan_.values[value].place = plan_.values[root].place;
    plan_.values[value].index = plan_.values[root].index;
    plan_.values[value].storage = plan_.values[root].storage;
    plan_.values[value].alias_of = root;
  }

  void place_writes() {
    for (size_t i = 0; i < ir_.writes.size(); ++i) {
      const std::shared_ptr<Storage>& variable = options_.writes[i].first;
      const Node& node = ir_.nodes[ir_.writes[i]];
      int from = value_of_[ir_.writes[i]];
      if (variable->bytes != plan_.values[from].bytes())
        throw Error(code::kShapeMismatch, "A variable of " + std::to_string(variable->bytes) +
                                              " bytes cannot take a value of shape " + node.shape.to_string() + ".");
      if (plan_.values[root_[from]].place == Place::storage) {  // another write may change it first
        Step copy;
        copy.inputs = {from};
        copy.output = from = new_value(node);
        copy.node = ir_.writes[i];
        plan_.steps.push_back(copy);
      }
      const int to = new_value(node);
      plan_.values[to].place = Place::storage;
      plan_.values[to].storage = variable;
      plan_.writes.push_back({from, to});
    }
  }

  void collect_variables() {
    std::unordered_set<const Buffer*> known;
    const auto remember = [&](const std::shared_ptr<Storage>& storage) {
      if (known.insert(storage->buffer.get()).second) plan_.variables.push_back(storage);
    };
    for (const Node& node : ir_.nodes)
      if (node.op == Op::variable) remember(node.storage);
    for (const auto& write : options_.writes) remember(write.first);
  }

  const Ir& ir_;
  const PlanOptions& options_;
  const Fusion fusion_;
  const std::unordered_map<NodeId, NormalizationGradients> normalizations_;  // by the earliest node
  const std::unordered_map<NodeId, SummedProduct> pairs_;
  Plan plan_;
  std::vector<int> value_of_;  // by node
  std::vector<int> root_;      // by value: whose memory it shares
  std::vector<char> made_by_step_;
};

}  // namespace

Plan make_plan(const Graph& graph, const PlanOptions& options) {
  return plan_from(recompute(optimise(graph, options), regions_of(graph)), graph, options);
}

Plan plan_from(const Ir& ir, const Graph& graph, const PlanOptions& options) {
  return Planner(ir, graph, options).make();
}

std::vector<bool> written_values(const Plan& plan) {
  std::vector<bool> written(plan.values.size());
  for (const Step& step : plan.steps)
    for (int output : step.outputs()) written[static_cast<size_t>(output)] = true;
  for (const StateWrite& write : plan.writes) written[static_cast<size_t>(write.to)] = true;
  return written;
}

}  // namespace downhill
