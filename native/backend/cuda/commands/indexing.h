// Commands of this family; made by host/lower/indexing.cpp, launched by kernels/indexing.cu. Elements are four bytes,
// whatever their type.
#pragma once
#include <cstdint>

#include "backend/cuda/commands/step.h"

namespace downhill::cuda {

/// Stops the step when an index lies outside [0, limit): state->value is the first such index, state->where its
/// position, state->command is `id`. Kernels that follow the indices run all the same, and skip those outside.
struct CheckIndicesArgs {
  const int32_t* indices;  // (n)
  int64_t n, limit;
  int32_t id;
  StepState* state;
};

/// y[o, i, :] = x[o, indices[i], :]; 0 where the index is outside [0, n)
struct GatherArgs {
  const void* x;           // (outer, n, inner)
  const int32_t* indices;  // (count)
  void* y;                 // (outer, count, inner)
  int64_t outer, n, count, inner;
};

/// y[o, indices[i], :] += x[o, i, :] from 0 on, in the order of i.
struct ScatterAddArgs {
  const int32_t* indices;  // (count)
  const void* x;           // (outer, count, inner)
  void* y;                 // (outer, n, inner); all of it is written
  int64_t outer, n, count, inner;
  bool is_float;
  void* scratch;  // scatter_add_scratch(n, count) bytes
};

/// y[i, j] = labels[i] == j
struct OneHotArgs {
  const int32_t* labels;  // (n)
  float* y;               // (n, depth)
  int64_t n, depth;
};

}  // namespace downhill::cuda
