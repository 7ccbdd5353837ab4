// Threads that share a row: element j belongs to lane j mod lanes. all(value, op, identity) combines the values of all
// lanes, in an order that depends on their number alone, and gives the result to each.
#pragma once
#include "backend/cuda/device/block.cuh"

namespace downhill::cuda {

struct AddFloats {
  __device__ float operator()(float a, float b) const { return a + b; }
};

/// Up to 32 neighbouring threads of a warp, a power of two.
struct WarpTeam {
  int lane, lanes;
  template <typename Op>
  __device__ float all(float value, Op op, float) const {
    for (int distance = lanes / 2; distance > 0; distance /= 2) value = op(value, shuffle_xor(value, distance));
    return value;
  }
};

/// All threads of a block.
struct BlockTeam {
  int lane, lanes;
  template <typename Op>
  __device__ float all(float value, Op op, float identity) const {
    return block_reduce(value, op, identity);
  }
};

}  // namespace downhill::cuda
