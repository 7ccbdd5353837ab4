// Movements and products as gradient rules of larger ops write them.
#pragma once
#include <vector>

#include "graph/graph.h"

namespace downhill {

using Dims = std::vector<int64_t>;

Expr apply(Op op, const std::vector<Expr>& inputs, Attrs attrs = {});

Expr slice(Expr x, Dims begin, Dims size);
Expr pad(Expr x, Dims before, Dims after);  // with zeros
Expr reshape(Expr x, Dims shape);
Expr transpose(Expr x, Dims order);
Expr concat(const std::vector<Expr>& parts, int64_t axis);
Expr column(Expr x);  // with a last dimension of one
Expr matmul(Expr a, Expr b, bool transpose_a, bool transpose_b);
/// A float32 constant in x's graph.
Expr number(Expr x, double value);

}  // namespace downhill
