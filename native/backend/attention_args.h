// A step of attention as the kernels of all devices read it; plain data.
#pragma once
#include <cstdint>

#include "core/host_device.h"

namespace downhill {

/// One operand, all heads of a time step side by side: elements from step to step; those of an example lie together.
struct AttentionRows {
  float* at;
  int64_t row;
};

struct AttentionCall {
  bool backward, causal;
  bool added;  // the mask: float32, added; else int32: 0 hides
  int64_t n, queries, keys, heads, dim, value_dim;
  float scale;
  float rate;  // of dropout
  uint64_t key;
  AttentionRows q, k, v;
  const void* mask;  // null: none
  int64_t mask_stride[4];
  float* y;                      // (n, queries, y_row): written forward, read backward
  int64_t y_row, shift, factor;  // results of all heads, from these columns on the shift and the factor of each
  const float* d;                // (n, queries, heads · value_dim)
  AttentionRows d_q, d_k, d_v;

  DH_HOST_DEVICE int64_t results() const { return heads * value_dim; }
};

}  // namespace downhill
