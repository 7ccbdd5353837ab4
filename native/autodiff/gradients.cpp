#include "autodiff/gradients.h"

#include <cstring>

#include "autodiff/rules.h"
#include "core/error.h"

namespace downhill {

namespace {

/// Which nodes up to `output` a cotangent has to pass on its way to a `wrt` node.
std::vector<char> paths(const Graph& graph, NodeId output, const std::vector<char>& is_wrt) {
  std::vector<char> depends(output + 1, 0);
  for (NodeId id = 0; id <= output; ++id) {
    const Node& node = graph[id];
    if (is_wrt[id])
      depends[id] = 1;
    else if (std::strcmp(row_of(node.op).gradient, "none") != 0 && node.dtype == DType::float32)
      for (NodeId input : node.inputs) depends[id] |= depends[input];
  }
  return depends;
}

class ScopeGuard {
 public:
  explicit ScopeGuard(Graph& graph) : graph_(graph), scope_(graph.scope()), source_(graph.source()) {}
  ~ScopeGuard() {
    graph_.set_scope(scope_);
    graph_.set_source(source_);
  }

 private:
  Graph& graph_;
  std::string scope_;
  Graph::Source source_;
};

}  // namespace

std::vector<NodeId> gradients(Graph& graph, NodeId output, const std::vector<NodeId>& wrt, NodeId seed) {
  if (graph[output].dtype != DType::float32)
    throw Error(code::kNotDifferentiable, "gradient: the value to differentiate must be float32; received int32.");
  if (seed < 0) {
    if (graph[output].shape.size() != 1 || graph[output].shape.rank() != 0)
      throw Error(code::kNotDifferentiable, "gradient: the function must return a scalar; received shape " +
                                                graph[output].shape.to_string() +
                                                ". Reduce it, for example with ops.sum or ops.mean.");
    seed = graph.scalar(1);
  } else if (graph[seed].shape != graph[output].shape) {
    throw Error(code::kShapeMismatch, "gradient: the seed has shape " + graph[seed].shape.to_string() +
                                          ", the output " + graph[output].shape.to_string() + ".");
  }

  std::vector<char> is_wrt(output + 1, 0);
  for (NodeId id : wrt) {
    if (graph[id].dtype != DType::float32)
      throw Error(code::kNotDifferentiable,
                  "gradient: can differentiate only with respect to float32 values; received int32 " +
                      graph[id].shape.to_string() + ".");
    if (id <= output) is_wrt[id] = 1;
  }
  const std::vector<char> depends = paths(graph, output, is_wrt);

  const ScopeGuard guard(graph);
  std::vector<NodeId> cotangent(output + 1, -1);
  cotangent[output] = seed;
  for (NodeId id = output; id >= 0; --id) {
    if (cotangent[id] < 0 || is_wrt[id] || !depends[id]) continue;
    const Node& node = graph[id];
    graph.set_scope(node.label);
    graph.set_source({true, node.unit});
    std::vector<Expr> x;
    for (NodeId input : node.inputs) x.push_back({&graph, input});
    const std::vector<Expr> d_x = apply_rule({graph, node, x, {&graph, id}, {&graph, cotangent[id]}});
    for (size_t i = 0; i < d_x.size(); ++i) {
      const NodeId input = node.inputs[i];
      if (d_x[i].id < 0 || !depends[input]) continue;
      cotangent[input] = cotangent[input] < 0 ? d_x[i].id : graph.add(Op::add, {cotangent[input], d_x[i].id});
    }
  }

  std::vector<NodeId> result;
  for (NodeId id : wrt) {
    if (id <= output && cotangent[id] >= 0)
      result.push_back(cotangent[id]);
    else
      result.push_back(
          graph.add(Op::broadcastTo, {graph.scalar(0)}, Attrs().set("shape", graph[id].shape.to_vector())));
  }
  return result;
}

}  // namespace downhill
