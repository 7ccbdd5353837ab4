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
  int64_t columns;      // units: element i is of unit i mod columns
  int64_t first_unit;   // number of its first unit; -1: not clipped by units
  int32_t group;
  Rule rule;  // of the group
};

/// Rows [row, row + kUnitRows) and columns [column, column + kUnitColumns) of a span, as far as it has them.
struct UnitTile {
  int64_t row, column;
  int64_t at;  // of its sums: column after column
  int32_t span;
};

/// Elements [index · kUpdateChunk, …) of a span.
struct UpdateChunk {
  int32_t span, index;
};

/// What all commands of an update read, all in device memory. They do nothing when the step was stopped.
struct UpdateTable {
  const DeviceSpan* spans;    // (span_count)
  const UpdateChunk* chunks;  // (chunk_count), span after span
  const StepHead* heads;      // (steps of a launch); state->row says which one
  const GroupStep* groups;    // (steps of a launch, group_count)
  StepState* state;
  int64_t chunk_count;
  int32_t span_count, group_count;
  bool scaled;  // gradients are those of a loss with a dynamic scale: state->gradient_scale stands for the head's
};

/// bad[c] = whether a gradient of chunk c is not finite
struct FindNonFiniteArgs {
  UpdateTable table;
  uint32_t* bad;  // (chunk_count)
};

/// Skips the update if a gradient is not finite. Where the loss scale is dynamic, sets state->gradient_scale and the
/// next scale.
struct DecideUpdateArgs {
  UpdateTable table;
  const uint32_t* bad;    // (chunk_count)
  float* scale;           // null: not dynamic
  int32_t* finite_steps;  // since the scale changed
  int64_t growth_steps;
};

/// squares[c] = sum of squares of chunk c of the gradients
struct GradientNormsArgs {
  UpdateTable table;
  float* squares;  // (chunk_count)
};

/// factors[s] = what clipping by norms multiplies the gradient of span s with, beside the step's gradient_scale
struct ClipFactorsArgs {
  UpdateTable table;
  const float* squares;  // (chunk_count)
  double* scratch;       // (2, span_count)
  float* factors;        // (span_count)
};

/// squares = sums over the rows of each tile, by column: of gradients, and of parameters
struct UnitSquaresArgs {
  UpdateTable table;
  const UnitTile* tiles;  // (tile_count)
  double *gradients, *parameters;
  int64_t tile_count;
};

/// factors[u] = adaptive clipping of unit u
struct UnitFactorsArgs {
  UnitSquaresArgs squares;
  float* factors;  // (units)
};

/// The spans of one rule.
struct UpdateArgs {
  UpdateTable table;
  const float* factors;  // (span_count); null: no clipping by norms
  const float* units;    // (units); null: no clipping by units
  const float* trust;    // (span_count), of a rule with norms; else null
  Rule rule;
};

/// squares[c] = sums over chunk c for a rule with norms: of p, and of what it measures
struct MeasureArgs {
  UpdateArgs update;  // trust: not read
  float* squares;     // (chunk_count, 2)
};

/// trust[s] = what the rule makes of the norms of span s
struct TrustArgs {
  UpdateTable table;
  const float* squares;  // (chunk_count, 2)
  float* trust;          // (span_count)
  Rule rule;
};

/// to[i · stride] = scalar i of the step (optim/update_scalars.h) for the programs that follow.
struct UpdateScalarsArgs {
  UpdateTable table;
  float* to;
  int32_t group, count, stride;
};

}  // namespace downhill::cuda
