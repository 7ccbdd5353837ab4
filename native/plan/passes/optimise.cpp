#include "plan/passes/passes.h"

namespace downhill {

Ir optimise(const Graph& graph, const PlanOptions& options) {
  const Ir before = needed_part(graph, options);
  Ir after;
  CommonSubexpressions seen;
  std::vector<NodeId> moved;
  for (const Node& old : before.nodes) {
    Node node = old;
    for (NodeId& input : node.inputs) input = moved[input];
    NodeId id = simplify(after, node, seen);
    if (id < 0 && options.fold) id = fold_constant(after, node);
    if (id < 0) id = after.push(std::move(node));
    moved.push_back(seen.find_or_remember(after, id));
  }
  for (NodeId id : before.outputs) after.outputs.push_back(moved[id]);
  for (NodeId id : before.writes) after.writes.push_back(moved[id]);
  return needed_part(after);
}

}  // namespace downhill
