// Shape rules of the normalization of rows.
#pragma once
#include "graph/graph.h"

namespace downhill::normalization {

using Inputs = std::vector<const Node*>;

Inferred shape_normalization(Op op, const Inputs& inputs, Attrs& attrs);        // (x [, gamma] [, beta])
Inferred shape_normalization_grad(Op op, const Inputs& inputs, Attrs& attrs);   // (x, d_y [, gamma])
Inferred shape_normalization_scale(Op op, const Inputs& inputs, Attrs& attrs);  // (x, d_y)

}  // namespace downhill::normalization
