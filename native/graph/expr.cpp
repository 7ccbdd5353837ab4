#include "core/error.h"
#include "graph/graph.h"

namespace downhill {

namespace {

Expr number(Expr like, double value) { return {like.graph, like.graph->scalar(value, like.node().dtype)}; }

}  // namespace

Expr apply(Op op, std::initializer_list<Expr> inputs, Attrs attrs) {
  std::vector<NodeId> ids;
  for (const Expr& input : inputs) ids.push_back(input.id);
  Graph* graph = inputs.begin()->graph;
  return {graph, graph->add(op, ids, std::move(attrs))};
}

Expr operator+(Expr a, Expr b) { return apply(Op::add, {a, b}); }
Expr operator-(Expr a, Expr b) { return apply(Op::sub, {a, b}); }
Expr operator*(Expr a, Expr b) { return apply(Op::mul, {a, b}); }
Expr operator/(Expr a, Expr b) { return apply(Op::div, {a, b}); }
Expr operator-(Expr a) { return apply(Op::neg, {a}); }
Expr operator+(Expr a, double b) { return a + number(a, b); }
Expr operator-(double a, Expr b) { return number(b, a) - b; }
Expr operator*(Expr a, double b) { return a * number(a, b); }
Expr operator/(Expr a, double b) { return a / number(a, b); }

}  // namespace downhill
