// Derivatives of recurrent layers.
#pragma once
#include "autodiff/rules.h"

namespace downhill {

/// One pass backward over time for the gradients of all gates, then products over all steps at once.
std::vector<Expr> recurrent_gradients(const Tangents& t);

/// The gradient op of a cell, time step by time step in primitive ops.
Expr decompose_recurrent(Graph& graph, const Node& node);

}  // namespace downhill
