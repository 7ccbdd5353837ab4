#include "plan/passes/recompute.h"

#include <climits>

namespace downhill {

namespace {

bool is_leaf(const Node& node) { return node.inputs.empty(); }

class Recomputer {
 public:
  Recomputer(const Ir& ir, const Regions& regions)
      : ir_(ir),
        regions_(regions),
        size_(static_cast<NodeId>(ir.nodes.size())),
        root_(ir.nodes.size()),
        first_(regions.size(), INT_MAX),
        kept_(ir.nodes.size(), 0),
        again_(ir.nodes.size(), 0),
        repeated_(regions.size()) {
    for (NodeId id = 0; id < size_; ++id) {
      const Node& node = ir.nodes[id];
      root_[id] = node.op == Op::reshape ? root_[node.inputs[0]] : id;
      const int region = region_of(node);
      if (region >= 0 && node.phase == Phase::backward && first_[region] == INT_MAX) first_[region] = id;
    }
  }

  Ir run() {
    choose();
    Ir result;
    std::vector<NodeId> moved(ir_.nodes.size(), -1), copies(ir_.nodes.size(), -1);
    for (NodeId id = 0; id < size_; ++id) {
      Node node = ir_.nodes[id];
      const int region = region_of(node);
      if (region >= 0 && first_[region] == id) copy(region, moved, copies, result);
      for (NodeId& input : node.inputs)
        input = node.phase == Phase::backward && reads_again(node, input) ? copies[input] : moved[input];
      moved[id] = result.push(std::move(node));
    }
    for (NodeId id : ir_.outputs) result.outputs.push_back(moved[id]);
    for (NodeId id : ir_.writes) result.writes.push_back(moved[id]);
    return result;
  }

 private:
  int region_of(const Node& node) const { return node.unit < 0 ? -1 : regions_[static_cast<size_t>(node.unit)]; }
  /// Whether it belongs to the forward pass of a region and is there before the region's derivative.
  bool may_repeat(NodeId id) const {
    const Node& node = ir_.nodes[id];
    const int region = region_of(node);
    return region >= 0 && node.phase == Phase::forward && !is_leaf(node) && id < first_[region];
  }
  bool reads_again(const Node& reader, NodeId input) const {
    return again_[input] != 0 && region_of(reader) == region_of(ir_.nodes[input]);
  }

  /// Which forward nodes are computed again. Readers come behind what they read, so one walk back sees all of them.
  void choose() {
    for (NodeId id : ir_.outputs) kept_[root_[id]] = 1;
    for (NodeId id : ir_.writes) kept_[root_[id]] = 1;
    for (const Node& node : ir_.nodes)
      if (node.phase == Phase::backward)
        for (NodeId input : node.inputs)
          if (may_repeat(input) && region_of(ir_.nodes[input]) != region_of(node)) kept_[root_[input]] = 1;
    std::vector<char> wanted(ir_.nodes.size(), 0);
    for (NodeId id = size_ - 1; id >= 0; --id) {
      const Node& node = ir_.nodes[id];
      again_[id] = wanted[id] != 0 && may_repeat(id) && kept_[root_[id]] == 0;
      if (again_[id] == 0 && node.phase != Phase::backward) continue;
      for (NodeId input : node.inputs) {
        if (region_of(ir_.nodes[input]) == region_of(node))
          wanted[input] = 1;
        else
          kept_[root_[input]] = 1;
      }
    }
    for (NodeId id = 0; id < size_; ++id)
      if (again_[id] != 0) repeated_[static_cast<size_t>(region_of(ir_.nodes[id]))].push_back(id);
  }

  void copy(int region, const std::vector<NodeId>& moved, std::vector<NodeId>& copies, Ir& result) const {
    for (const NodeId id : repeated_[static_cast<size_t>(region)]) {
      Node node = ir_.nodes[id];
      node.phase = Phase::again;
      for (NodeId& input : node.inputs) input = reads_again(ir_.nodes[id], input) ? copies[input] : moved[input];
      copies[id] = result.push(std::move(node));
    }
  }

  const Ir& ir_;
  const Regions& regions_;
  const NodeId size_;
  std::vector<NodeId> root_;                   // by node: whose memory it shares, through reshapes
  std::vector<NodeId> first_;                  // by region: its first backward node
  std::vector<char> kept_;                     // by root: alive until the derivative of its region anyway
  std::vector<char> again_;                    // by node
  std::vector<std::vector<NodeId>> repeated_;  // by region: those nodes, in order
};

}  // namespace

Regions regions_of(const Graph& graph) {
  Regions regions(graph.recomputed().size(), -1);
  for (size_t unit = 0; unit < regions.size(); ++unit)
    if (graph.recomputed()[unit] != 0) regions[unit] = static_cast<int>(unit);
  return regions;
}

Ir recompute(const Ir& ir, const Regions& regions) {
  for (const int region : regions)
    if (region >= 0) return Recomputer(ir, regions).run();
  return ir;
}

std::vector<size_t> saved_bytes(const Ir& ir, size_t units) {
  std::vector<size_t> bytes(units, 0);
  std::vector<char> seen(ir.nodes.size(), 0);
  for (const Node& node : ir.nodes) {
    if (node.phase != Phase::backward) continue;
    for (NodeId input : node.inputs) {
      while (ir.nodes[input].op == Op::reshape) input = ir.nodes[input].inputs[0];
      const Node& read = ir.nodes[input];
      if (seen[input] != 0 || read.unit < 0 || read.phase != Phase::forward || is_leaf(read)) continue;
      seen[input] = 1;
      bytes[static_cast<size_t>(read.unit)] += static_cast<size_t>(read.shape.size()) * size_of(read.dtype);
    }
  }
  return bytes;
}

}  // namespace downhill
