// Commands of this family; made by host/lower/indexing.cpp, launched by kernels/indexing.cu and kernels/scatter.cu.
// Elements are four bytes, whatever their type.
#pragma once
#include <cstddef>
#include <cstdint>

#include "backend/cuda/commands/step.h"
#include "core/dtype.h"

namespace downhill::cuda {

/// Stops the step when an index lies outside [0, limit): state->value is the first such index, state->where its
/// position, state->command is `id`. Kernels that follow the indices run all the same, and skip those outside.
/// state->where must be 0 while the step has not been stopped.
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

/// y[o, indices[i], :] += x[o, i, :], starting from 0, in the order of i.
struct ScatterAddArgs {
  const int32_t* indices;  // (count)
  const void* x;           // (outer, count, inner)
  void* y;                 // (outer, n, inner); all of it is written
  int64_t outer, n, count, inner;
  DType dtype;
  void* scratch;  // scatter_scratch_bytes(n, count)
};

/// Indices are sorted in runs of at most this many: 30 bits leave room for 32-bit arithmetic.
inline constexpr int64_t kScatterRun = int64_t{1} << 30;
inline constexpr int64_t kScatterTile = 1024;  // indices that one block sorts
inline constexpr int64_t kScatterDigits = 256;

/// Four-byte words of scratch: keys and positions twice, a histogram per tile, and where each row begins.
struct ScatterScratch {
  int64_t run, tiles, words;
  ScatterScratch(int64_t n, int64_t count, int64_t longest_run = kScatterRun)
      : run(count < longest_run ? count : longest_run),
        tiles((run + kScatterTile - 1) / kScatterTile),
        words(4 * run + kScatterDigits * tiles + n + 1) {}
};
inline size_t scatter_scratch_bytes(int64_t n, int64_t count) {
  return static_cast<size_t>(ScatterScratch(n, count).words) * 4;
}

/// y[i, j] = labels[i] == j
struct OneHotArgs {
  const int32_t* labels;  // (n)
  float* y;               // (n, depth)
  int64_t n, depth;
};

}  // namespace downhill::cuda
