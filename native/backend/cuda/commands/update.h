// Commands of this family: one update of all variables (optim/update_plan.h), bit for bit as the CPU does it. Launched
// by kernels/update.cu; the tables are made by host/update_tables.cpp.
#pragma once
#include <cstdint>

#include "backend/cuda/commands/step.h"
#include "optim/update_plan.h"

namespace downhill::cuda {

/// One variable: (size) each, in device memory.
struct DeviceSpan {
  float* parameter;
  const float* gradient;
  float* slots[kMaxSlots];
  float *accumulator, *average;  // null: none
  int64_t size;
  int64_t first_chunk;  // number of its first chunk
  int32_t group;
  Rule rule;  // of the group
};

/// Elements [index · kUpdateChunk, …) of a span.
struct UpdateChunk {
  int32_t span, index;
};

/// What all commands of an update read, all in device memory. They do nothing when the step was stopped.
struct UpdateTable {
  const DeviceSpan* spans;    // (span_count)
  const UpdateChunk* chunks;  // (chunk_count), span after span
  const StepHead* heads;      // (steps of a launch); state->index says which one
  const GroupStep* groups;    // (steps of a launch, group_count)
  const StepState* state;
  int64_t chunk_count;
  int32_t span_count, group_count;
};

/// squares[c] = sum of squares of chunk c of the gradients
struct GradientNormsArgs {
  UpdateTable table;
  float* squares;  // (chunk_count)
};

/// factors[s] = what the gradient of span s is multiplied with: clipping by norms, and the step's gradient_scale
struct ClipFactorsArgs {
  UpdateTable table;
  const float* squares;  // (chunk_count)
  double* scratch;       // (2, span_count)
  float* factors;        // (span_count)
};

/// The spans of one rule.
struct UpdateArgs {
  UpdateTable table;
  const float* factors;  // (span_count); null: no clipping by norms
  Rule rule;
};

/// to[i · stride] = scalar i of the step (optim/update_scalars.h) for the programs that follow.
struct UpdateScalarsArgs {
  UpdateTable table;
  float* to;
  int32_t group, count, stride;
};

}  // namespace downhill::cuda
