// The gradient rules of ops.def: how a cotangent of an op's result becomes cotangents of its operands.
#pragma once
#include <vector>

#include "graph/graph.h"

namespace downhill {

/// One node as a rule sees it: operands x, result y, cotangent d_y of y's shape.
struct Tangents {
  Graph& graph;
  const Node& node;
  std::vector<Expr> x;
  Expr y, d_y;
};

/// d_x for each operand; an id of -1 where the op is constant in it.
std::vector<Expr> apply_rule(const Tangents& t);

/// Adds over the dimensions that broadcasting stretched, so that the result has `shape`.
Expr sum_to(Expr x, const Shape& shape);

}  // namespace downhill
