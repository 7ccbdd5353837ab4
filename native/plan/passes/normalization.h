// The gradients of a normalization of rows read the same x and d: that of x, that of gamma, and that of beta, which are
// the sums of d's columns, become one step.
#pragma once
#include <unordered_map>

#include "plan/passes/passes.h"

namespace downhill {

/// Nodes; -1: none of that kind. There are two of them at least.
struct NormalizationGradients {
  NodeId x = -1, scale = -1, sums = -1;
  NodeId main() const { return x >= 0 ? x : scale; }
};

/// By the earliest of the nodes, where the step goes: what it reads is there by then.
std::unordered_map<NodeId, NormalizationGradients> join_normalization_gradients(const Ir& ir);

}  // namespace downhill
