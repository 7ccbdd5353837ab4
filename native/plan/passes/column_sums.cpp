#include "plan/passes/column_sums.h"

#include <algorithm>
#include <map>

namespace downhill {

NodeId root_of(const Ir& ir, NodeId id) {
  while (ir.nodes[id].op == Op::reshape) id = ir.nodes[id].inputs[0];
  return id;
}

int64_t columns_of(const Ir& ir, NodeId id) {
  const Shape& shape = ir.nodes[id].shape;
  return shape.rank() == 0 ? 0 : shape[shape.rank() - 1];
}

namespace {

/// One product xᵀ · d with nothing fused to it.
bool is_weight_gradient(const Ir& ir, NodeId id, const Fusion& fusion) {
  const Node& node = ir.nodes[id];
  return node.op == Op::matmul && node.attrs.flag("transposeA") && !node.attrs.flag("transposeB") &&
         node.shape.rank() == 2 && node.shape.size() > 0 && !fusion.absorbed[id] && fusion.steps.count(id) == 0;
}

}  // namespace

bool sums_columns(const Ir& ir, const Node& node) {
  if (node.op != Op::sum) return false;
  const Shape& shape = ir.nodes[node.inputs[0]].shape;
  const std::vector<int64_t> axes = node.attrs.ints("axes");
  for (int axis = 0; axis < shape.rank(); ++axis) {
    const bool reduced = std::find(axes.begin(), axes.end(), axis) != axes.end();
    if (shape[axis] != 1 && reduced != (axis + 1 < shape.rank())) return false;
  }
  return shape.rank() > 0;
}

std::unordered_map<NodeId, SummedProduct> pair_column_sums(const Ir& ir, const Fusion& fusion,
                                                           const std::vector<char>& taken) {
  const auto size = static_cast<NodeId>(ir.nodes.size());
  std::multimap<NodeId, NodeId> products;  // by the root of d, in their order
  for (NodeId id = 0; id < size; ++id)
    if (is_weight_gradient(ir, id, fusion)) products.emplace(root_of(ir, ir.nodes[id].inputs[1]), id);

  std::unordered_map<NodeId, SummedProduct> pairs;
  for (NodeId sums = 0; sums < size; ++sums) {
    if (taken[sums] || !sums_columns(ir, ir.nodes[sums])) continue;
    const NodeId d = ir.nodes[sums].inputs[0];
    const auto [begin, end] = products.equal_range(root_of(ir, d));
    const auto fits = [&](const auto& candidate) {
      const NodeId x = root_of(ir, ir.nodes[candidate.second].inputs[0]), first = std::min(sums, candidate.second);
      return columns_of(ir, candidate.second) == columns_of(ir, d) && x < first;
    };
    const auto product = std::find_if(begin, end, fits);
    if (product == end) continue;
    pairs.emplace(std::min(sums, product->second), SummedProduct{product->second, sums});
    products.erase(product);
  }
  return pairs;
}

}  // namespace downhill
