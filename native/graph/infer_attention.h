// Shape rules of attention.
#pragma once
#include "graph/graph.h"

namespace downhill::attention {

using Inputs = std::vector<const Node*>;

Inferred shape_attention(Op op, const Inputs& inputs, Attrs& attrs);
Inferred shape_attention_grad(Op op, const Inputs& inputs, Attrs& attrs);

}  // namespace downhill::attention
