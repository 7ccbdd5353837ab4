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

/// By the earlier of the two nodes, where the step goes: what it reads is there by then.
std::unordered_map<NodeId, SummedProduct> pair_column_sums(const Ir& ir, const Fusion& fusion);

}  // namespace downhill
