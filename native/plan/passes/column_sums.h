// The gradients of a layer's weights and of its bias read the same d: xᵀ · d and the sums of d's columns become one
// step.
#pragma once
#include <unordered_map>

#include "plan/passes/epilogue.h"
#include "plan/passes/passes.h"

namespace downhill {

struct SummedProduct {
  NodeId product, sums;
};

/// By the earlier of the two nodes, where the step goes: what it reads is there by then. `taken`: by node, whether it
/// is part of another step.
std::unordered_map<NodeId, SummedProduct> pair_column_sums(const Ir& ir, const Fusion& fusion,
                                                           const std::vector<char>& taken);

/// The node whose memory a reshape shows.
NodeId root_of(const Ir& ir, NodeId id);
/// The last dimension; of a scalar 0.
int64_t columns_of(const Ir& ir, NodeId id);
/// Whether a node is a sum over all axes but the last.
bool sums_columns(const Ir& ir, const Node& node);

}  // namespace downhill
