#include "plan/passes/epilogue.h"

namespace downhill {

namespace {

/// Whether sums of products come from this node, to which an epilogue may be fused.
bool is_product(const Node& node) { return node.op == Op::matmul || node.op == Op::conv2d; }

/// A vector along the columns of the product.
bool is_bias(const Ir& ir, NodeId candidate, const Node& product) {
  const Node& node = ir.nodes[candidate];
  const int64_t columns = product.shape[product.shape.rank() - 1];
  return node.shape.rank() >= 1 && node.shape.size() == columns && node.shape[node.shape.rank() - 1] == columns &&
         node.dtype == DType::float32;
}

/// The operand of a node that a product could absorb the node for; -1: none.
NodeId activated_by(const Ir& ir, const Node& node) {
  if (node.dtype != DType::float32) return -1;
  if (row_of(node.op).kind == OpKind::unary) return node.inputs[0];
  if (!is_activation_gradient(node.op)) return -1;
  const NodeId saved = node.inputs[0], d_y = node.inputs[1];
  const bool alike = ir.nodes[saved].shape == node.shape && ir.nodes[d_y].shape == node.shape;
  return alike ? d_y : -1;
}

}  // namespace

Fusion fuse_epilogues(const Ir& ir) {
  const int size = static_cast<int>(ir.nodes.size());
  Fusion fusion;
  fusion.absorbed.assign(size, 0);
  std::vector<int> uses(size, 0);
  for (const Node& node : ir.nodes)
    for (NodeId input : node.inputs) ++uses[input];
  for (NodeId id : ir.outputs) uses[id] += 2;  // must exist by itself
  for (NodeId id : ir.writes) uses[id] += 2;

  for (NodeId id = 0; id < size; ++id) {
    const Node& node = ir.nodes[id];
    if (node.op == Op::add) {
      for (int side = 0; side < 2; ++side) {
        const NodeId product = node.inputs[side], bias = node.inputs[1 - side];
        const Node& matmul = ir.nodes[product];
        if (!is_product(matmul) || uses[product] != 1 || matmul.shape != node.shape || !is_bias(ir, bias, matmul))
          continue;
        FusedMatmul fused{matmul.op, {matmul.inputs[0], matmul.inputs[1], bias}, matmul.attrs, {}};
        fused.epilogue.bias = true;
        fusion.steps.emplace(id, std::move(fused));
        fusion.absorbed[product] = 1;
        break;
      }
    } else if (const NodeId source = activated_by(ir, node); source >= 0) {
      if (uses[source] != 1) continue;
      const auto biased = fusion.steps.find(source);
      if (biased == fusion.steps.end() && !is_product(ir.nodes[source])) continue;
      if (biased != fusion.steps.end() && biased->second.epilogue.activation != Op::identity) continue;
      FusedMatmul fused;
      if (biased != fusion.steps.end()) {
        fused = std::move(biased->second);
        fusion.steps.erase(biased);
      } else {
        fused.op = ir.nodes[source].op;
        fused.inputs = ir.nodes[source].inputs;
        fused.attrs = ir.nodes[source].attrs;
      }
      fused.epilogue.activation = node.op;
      fused.epilogue.attrs = node.attrs;
      if (fused.epilogue.has_gradient()) fused.inputs.push_back(node.inputs[0]);
      fusion.absorbed[source] = 1;
      fusion.steps.emplace(id, std::move(fused));
    }
  }
  return fusion;
}

}  // namespace downhill
