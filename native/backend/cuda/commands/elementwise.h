// Commands of this family; made by host/lower/elementwise.cpp, launched by kernels/elementwise*.cu.
#pragma once
#include <cstdint>

#include "backend/layout.h"
#include "core/dtype.h"
#include "ops/op.h"

namespace downhill::cuda {

/// at[0][i] = f(at[1][…], …) for all elements i of the nest. The output may be exactly one of the operands.
struct ElementwiseArgs {
  Op op;        // an elementwise row
  DType dtype;  // of the operands
  float params[2];
  void* at[kMaxOperands];  // the output, then the operands
  Nest nest;               // of the same; the output is contiguous
};

}  // namespace downhill::cuda
