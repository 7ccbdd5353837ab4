// Shape rules of convolutions and pooling.
#pragma once
#include "graph/infer_errors.h"

namespace downhill::windows {

Inferred shape_conv(Op op, const Inputs& inputs, Attrs& attrs);            // (x, w)
Inferred shape_conv_transpose(Op op, const Inputs& inputs, Attrs& attrs);  // (d_y, w)
Inferred shape_conv_filter(Op op, const Inputs& inputs, Attrs& attrs);     // (x, d_y)
Inferred shape_pool(Op op, const Inputs& inputs, Attrs& attrs);            // (x)
Inferred shape_pool_scatter(Op op, const Inputs& inputs, Attrs& attrs);    // (x, d_y)
Inferred shape_pool_pick(Op op, const Inputs& inputs, Attrs& attrs);       // (x, z)
Inferred shape_pool_spread(Op op, const Inputs& inputs, Attrs& attrs);     // (d_y)

}  // namespace downhill::windows
