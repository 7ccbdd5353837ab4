// Commands of this family; made by host/lower/attention.cpp, launched by kernels/attention.cu.
#pragma once
#include <cstdint>

#include "backend/cuda/commands/step.h"

namespace downhill::cuda {

/// All heads of a time step side by side: elements from step to step; those of an example lie together.
struct AttentionRows {
  float* at;
  int64_t row;
};

/// As cpu::AttentionArgs.
struct AttentionArgs {
  bool backward, causal, added;
  int64_t n, queries, keys, heads, dim, value_dim;
  float scale, rate;
  uint64_t key;
  AttentionRows q, k, v;
  const void* mask;  // null: none
  int64_t mask_stride[4];
  float* y;        // (n, queries, heads · (value_dim + 1)): written forward, read backward
  const float* d;  // (n, queries, d_row)
  int64_t d_row;   // heads · value_dim, or as y
  AttentionRows d_q, d_k, d_v;
  float* delta;  // backward: (n, heads, queries)
  const StepState* state;
};

}  // namespace downhill::cuda
