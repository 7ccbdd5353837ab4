// Derivatives of the normalization of rows.
#pragma once
#include "autodiff/rules.h"

namespace downhill {

/// One gradient op for x and one for gamma, which the planner makes one step of; that of beta is a sum.
std::vector<Expr> normalization_gradients(const Tangents& t);

/// A gradient op in primitive ops.
Expr decompose_normalization(Graph& graph, const Node& node);

}  // namespace downhill
