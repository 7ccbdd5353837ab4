// Commands of this family; made by host/lower/recurrent.cpp, launched by kernels/recurrent.cu.
#pragma once
#include <cstdint>

#include "ops/recurrent.h"

namespace downhill::cuda {

/// As cpu::RecurrentArgs. Forward: states of x; backward: gradients of d.
struct RecurrentArgs {
  Cell cell;
  bool backward, initial;  // initial: a last step of the gradients holds those of h and c
  int64_t n, steps, units;
  const float* x;       // (n, steps, gates · units)
  const float* kernel;  // (units, gates · units)
  const float* bias;    // (gates · units), or null
  const float* h;       // (n, units), or null: zeros
  const float* c;
  const float* mask;    // (n, steps): 0 where a row keeps its states; or null
  const float* states;  // (n, steps, states · units)
  const float* d;       // (n, steps, width)
  int64_t width;
  float* carried;  // backward: (n, 2, units), gradients on their way to the step before
  float* to;
};

}  // namespace downhill::cuda
