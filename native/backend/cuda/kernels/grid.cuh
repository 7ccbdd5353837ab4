// Kernels that stride over their tasks: how many blocks they are launched with, and which task is whose.
#pragma once
#include "backend/cuda/device/platform.cuh"

namespace downhill::cuda {

constexpr int64_t kMaxBlocks = int64_t{1} << 20;  // more than any device holds at once

inline unsigned grid_for(int64_t items, int64_t per_block) {
  const int64_t blocks = (items + per_block - 1) / per_block;
  return static_cast<unsigned>(blocks < kMaxBlocks ? blocks : kMaxBlocks);
}

struct Division {
  int64_t quotient, remainder;
};

/// a / b for a >= 0, b > 0: in 32 bits where they are enough, as devices have no instruction for it.
__device__ __forceinline__ Division divide(int64_t a, int64_t b) {
  if (b == 1) return {a, 0};
  if ((static_cast<uint64_t>(a | b) >> 32) == 0) {
    const uint32_t quotient = static_cast<uint32_t>(a) / static_cast<uint32_t>(b);
    return {quotient, static_cast<uint32_t>(a) - quotient * static_cast<uint32_t>(b)};
  }
  const int64_t quotient = a / b;
  return {quotient, a - quotient * b};
}

}  // namespace downhill::cuda
