// Shape rules of recurrent layers.
#pragma once
#include "graph/infer_errors.h"

namespace downhill::recurrent {

Inferred shape_recurrent(Op op, const Inputs& inputs,
                         Attrs& attrs);  // (x, kernel [, bias] [, initial states] [, mask])
Inferred shape_recurrent_grad(Op op, const Inputs& inputs,
                              Attrs& attrs);  // (states, kernel, d [, initial states] [, mask])

}  // namespace downhill::recurrent
