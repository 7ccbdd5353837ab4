// The rewriting passes of the planner. Each looks at one node whose operands are already rewritten and may replace it
// by an existing one; dead code goes before and after.
#pragma once
#include <deque>
#include <memory>
#include <unordered_map>
#include <vector>

#include "graph/graph.h"
#include "plan/plan.h"

namespace downhill {

/// A graph being rewritten: only nodes that are needed, in topological order.
struct Ir {
  std::deque<Node> nodes;
  std::vector<NodeId> outputs;
  std::vector<NodeId> writes;  // values of PlanOptions::writes

  NodeId push(Node node) {
    nodes.push_back(std::move(node));
    return static_cast<NodeId>(nodes.size()) - 1;
  }
};

/// Copies what the outputs and writes need: dead code elimination.
Ir needed_part(const Graph& graph, const PlanOptions& options);
Ir needed_part(const Ir& ir);

/// Finds an equal node seen before.
class CommonSubexpressions {
 public:
  NodeId find_or_remember(const Ir& ir, NodeId id);
  NodeId find(const Ir& ir, const Node& node) const;  // -1: none

 private:
  NodeId find(const Ir& ir, const Node& node, size_t hash) const;

  std::unordered_multimap<size_t, NodeId> seen_;
};

/// Removes operations that change nothing (identity, · 1, reshape of reshape), moves a bias in front of a reshape,
/// folds transposes into matmul flags and broadcasts into the elementwise ops that broadcast by themselves, masks and
/// sums the gradients of max pools before they are spread. May edit the node in place; an id replaces it. What it adds
/// to the graph is also looked up in `seen`.
NodeId simplify(Ir& ir, Node& node, CommonSubexpressions& seen);

/// Evaluates a node whose operands are all constants, when the result is small.
NodeId fold_constant(Ir& ir, const Node& node);

/// All of the above over a graph.
Ir optimise(const Graph& graph, const PlanOptions& options);

/// Steps and places of a graph that has been rewritten. plan/plan.cpp
Plan plan_from(const Ir& ir, const Graph& graph, const PlanOptions& options);

}  // namespace downhill
