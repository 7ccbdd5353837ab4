// The loops of attention over blocks of queries and keys.
#pragma once
#include <cstddef>
#include <cstdint>

namespace downhill::cpu {

/// One operand, all heads of a time step side by side: elements from step to step; those of an example lie together.
struct AttentionRows {
  float* at = nullptr;
  int64_t row = 0;
};

struct AttentionArgs {
  int64_t n, queries, keys, heads, dim, value_dim;
  float scale = 1;
  bool causal = false;
  AttentionRows q, k, v;
  const void* mask = nullptr;  // null: none
  bool added = false;          // float32, added; else int32: 0 hides
  int64_t mask_stride[4] = {};
  float rate = 0;  // of dropout
  uint64_t key = 0, step = 0;
  float* y = nullptr;  // (n, queries, heads · (value_dim + 1)): written forward, read backward
  // ---- backward ----
  const float* d = nullptr;  // (n, queries, d_row)
  int64_t d_row = 0;         // heads · value_dim, or as y
  AttentionRows d_q, d_k, d_v;
  std::byte* scratch = nullptr;  // aligned to 64
};

struct AttentionKernels {
  size_t (*scratch_bytes)(const AttentionArgs& args, bool backward);
  void (*forward)(const AttentionArgs& args);
  void (*backward)(const AttentionArgs& args);
};

}  // namespace downhill::cpu
