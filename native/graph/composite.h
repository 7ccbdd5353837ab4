// Composite ops: rows of the table that become several nodes at once.
#pragma once
#include <vector>

#include "graph/graph.h"

namespace downhill {

NodeId build_composite(Graph& graph, Op op, const std::vector<NodeId>& inputs, const Attrs& attrs);

}  // namespace downhill
