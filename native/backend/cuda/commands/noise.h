// Commands of this family; made by host/lower/noise.cpp, launched by kernels/noise.cu.
#pragma once
#include <cstdint>

#include "backend/cuda/commands/step.h"
#include "ops/op.h"

namespace downhill::cuda {

/// The numbers of element i are those of the Philox counter (state->counter, i / 4). y may be x.
struct NoiseArgs {
  Op op;           // one of ops/noise.h
  const float* x;  // (n)
  float* y;        // (n)
  int64_t n;
  NoiseParams params;
  const StepState* state;
};

}  // namespace downhill::cuda
