// Commands of this family; made by host/lower/attention.cpp, launched by kernels/attention.cu.
#pragma once
#include "backend/attention_args.h"
#include "backend/cuda/commands/step.h"

namespace downhill::cuda {

struct AttentionArgs : AttentionCall {
  float* delta;  // backward: (n, heads, queries)
  const StepState* state;
};

}  // namespace downhill::cuda
