#include "backend/backend.h"
#include "plan/passes/passes.h"

namespace downhill {

namespace {
/// Larger results are cheaper to compute again than to keep.
constexpr int64_t kMaxElements = 1 << 14;
}  // namespace

NodeId fold_constant(Ir& ir, const Node& node) {
  const bool draws = is_noise(node.op) || node.attrs.number("rate") > 0;
  if (node.inputs.empty() || draws || node.shape.size() > kMaxElements) return -1;
  for (NodeId input : node.inputs)
    if (ir.nodes[input].op != Op::constant) return -1;

  Graph graph;
  std::vector<NodeId> inputs;
  for (NodeId input : node.inputs) {
    const Node& constant = ir.nodes[input];
    inputs.push_back(graph.constant(constant.storage, constant.shape, constant.dtype));
  }
  PlanOptions options;
  options.outputs = {graph.add(node.op, inputs, node.attrs)};
  options.fold = false;
  auto storage = std::make_shared<Storage>();
  storage->bytes = static_cast<size_t>(node.shape.size()) * size_of(node.dtype);
  storage->buffer = std::make_shared<Buffer>(storage->bytes);
  Workspace workspace;
  void* output = storage->data();
  Bindings bindings;
  bindings.outputs = &output;
  bindings.workspace = &workspace;
  cpu::compile(make_plan(graph, options))->run(bindings);

  Node folded{Op::constant, {}, {}, node.shape, node.dtype, std::move(storage), -1, node.label};
  return ir.push(std::move(folded));
}

}  // namespace downhill
