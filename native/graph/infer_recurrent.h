// Shape rules of recurrent layers.
#pragma once
#include "graph/graph.h"

namespace downhill::recurrent {

using Inputs = std::vector<const Node*>;

Inferred shape_recurrent(Op op, const Inputs& inputs,
                         Attrs& attrs);  // (x, kernel [, bias] [, initial states] [, mask])
Inferred shape_recurrent_grad(Op op, const Inputs& inputs,
                              Attrs& attrs);  // (states, kernel, d [, initial states] [, mask])

}  // namespace downhill::recurrent
