// Shape rules of attention.
#pragma once
#include "graph/infer_errors.h"

namespace downhill::attention {

Inferred shape_attention(Op op, const Inputs& inputs, Attrs& attrs);
Inferred shape_attention_grad(Op op, const Inputs& inputs, Attrs& attrs);

}  // namespace downhill::attention
