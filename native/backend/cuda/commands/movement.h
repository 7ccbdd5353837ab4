// Commands of this family; made by host/lower/movement.cpp, launched by kernels/movement.cu. Elements are four bytes,
// whatever their type.
#pragma once
#include <cstdint>

#include "backend/cuda/commands/step.h"
#include "backend/layout.h"
#include "core/dtype.h"

namespace downhill::cuda {

/// to[i] = from[i] for all elements i of the nest. The two do not overlap.
struct CopyArgs {
  const void* from;
  void* to;
  Nest nest;                        // operand 0: to; 1: from
  const StepState* unless_stopped;  // nothing is copied once that step has failed or is skipped; null: always copied
};

struct FillArgs {
  void* to;  // (n)
  int64_t n;
  uint32_t value;  // the bits of each element
};

/// To the other type: int32 is made towards zero, limited to its range, with 0 for NaN.
struct CastArgs {
  const void* from;  // (n)
  void* to;          // (n)
  int64_t n;
  DType dtype;  // of `to`
};

}  // namespace downhill::cuda
