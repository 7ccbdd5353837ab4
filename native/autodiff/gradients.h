// Reverse-mode differentiation, graph to graph: the gradient is more nodes of the same ops, so it can be differentiated
// again.
#pragma once
#include <vector>

#include "graph/graph.h"

namespace downhill {

/// Nodes with d(output)/d(wrt[i]) · seed, each of the shape of wrt[i]; zeros where output does not depend on it.
/// Without a seed the output must be a float32 scalar. Paths through `wrt` nodes stop there. Throws NOT_DIFFERENTIABLE.
std::vector<NodeId> gradients(Graph& graph, NodeId output, const std::vector<NodeId>& wrt, NodeId seed = -1);

/// The same value as `id`, a node whose row says `expand`, in terms of primitive ops.
NodeId decompose(Graph& graph, NodeId id);

}  // namespace downhill
