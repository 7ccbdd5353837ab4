#include "plan/passes/passes.h"

namespace downhill {

namespace {

template <typename Nodes>
Ir copy_needed(const Nodes& nodes, int size, const std::vector<NodeId>& outputs, const std::vector<NodeId>& writes) {
  std::vector<char> needed(size, 0);
  for (NodeId id : outputs) needed[id] = 1;
  for (NodeId id : writes) needed[id] = 1;
  for (NodeId id = size - 1; id >= 0; --id)
    if (needed[id])
      for (NodeId input : nodes[id].inputs) needed[input] = 1;

  Ir ir;
  std::vector<NodeId> moved(size, -1);
  for (NodeId id = 0; id < size; ++id) {
    if (!needed[id]) continue;
    Node node = nodes[id];
    for (NodeId& input : node.inputs) input = moved[input];
    moved[id] = ir.push(std::move(node));
  }
  for (NodeId id : outputs) ir.outputs.push_back(moved[id]);
  for (NodeId id : writes) ir.writes.push_back(moved[id]);
  return ir;
}

}  // namespace

Ir needed_part(const Graph& graph, const PlanOptions& options) {
  std::vector<NodeId> writes;
  for (const auto& write : options.writes) writes.push_back(write.second);
  for (NodeId id : options.outputs) graph[id];  // throws for a foreign id
  for (NodeId id : writes) graph[id];
  return copy_needed(graph, graph.size(), options.outputs, writes);
}

Ir needed_part(const Ir& ir) { return copy_needed(ir.nodes, static_cast<int>(ir.nodes.size()), ir.outputs, ir.writes); }

}  // namespace downhill
