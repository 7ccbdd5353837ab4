// Sums over the chunks of a variable in the order of the CPU.
#pragma once
#include "backend/cuda/commands/update.h"
#include "backend/cuda/device/warp.cuh"

namespace downhill::cuda {

constexpr int kNormLanes = 16;  // of the sum over a chunk, as on the CPU

/// Σ of sums[(first_chunk + c) · stride + which] over the chunks of a span, in their order; by all lanes of a warp.
__device__ inline double sum_of_chunks(const DeviceSpan& span, const float* sums, int stride, int which) {
  const int64_t chunks = (span.size + kUpdateChunk - 1) / kUpdateChunk;
  double sum = 0;
  for (int64_t begin = 0; begin < chunks; begin += kWarpSize) {
    const int64_t c = begin + lane_id();
    const float mine = c < chunks ? sums[(span.first_chunk + c) * stride + which] : 0.0f;
    for (int lane = 0; lane < kWarpSize; ++lane) {
      const float next = broadcast(mine, lane);
      if (begin + lane < chunks) sum += next;
    }
  }
  return sum;
}

}  // namespace downhill::cuda
