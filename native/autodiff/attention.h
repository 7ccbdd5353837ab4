// Derivatives of attention.
#pragma once
#include "autodiff/rules.h"

namespace downhill {

/// One gradient op for queries, keys and values; of a bias, in primitive ops.
std::vector<Expr> attention_gradients(const Tangents& t);

/// The gradient op in primitive ops, with all scores as matrices.
Expr decompose_attention(Graph& graph, const Node& node);

}  // namespace downhill
