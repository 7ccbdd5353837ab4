// Reductions and scans over a block of whole warps, in an order that depends on the block's size alone. All threads of
// the block must call them. Calls may follow each other without a barrier in between.
#pragma once
#include "backend/cuda/device/warp.cuh"

namespace downhill::cuda {

__device__ __forceinline__ int block_warps() {
  return static_cast<int>((blockDim.x * blockDim.y * blockDim.z + kWarpSize - 1) / kWarpSize);
}

/// One value per warp, in shared memory: to all threads.
template <class T>
__device__ __forceinline__ T share_by_warp(T of_my_warp, T identity) {
  alignas(16) __shared__ unsigned char bytes[kWarpSize * sizeof(T)];  // T may have constructors, shared memory not
  T* values = reinterpret_cast<T*>(bytes);
  __syncthreads();  // the previous call has been read
  if (lane_id() == 0) values[warp_id()] = of_my_warp;
  __syncthreads();
  return lane_id() < block_warps() ? values[lane_id()] : identity;
}

/// Every thread gets op over all values. op must commute and op(identity, x) be x.
template <class T, class Op>
__device__ __forceinline__ T block_reduce(T value, Op op, T identity) {
  return warp_reduce(share_by_warp(warp_reduce(value, op), identity), op);
}

/// Thread i gets op over the values of threads 0 … i - 1 (thread 0: the identity), and the total over all.
template <class T, class Op>
__device__ __forceinline__ T block_exclusive_scan(T value, Op op, T identity, T& total) {
  const T inclusive = warp_inclusive_scan(value, op);
  const T of_warps = warp_inclusive_scan(share_by_warp(broadcast(inclusive, kWarpSize - 1), identity), op);
  total = broadcast(of_warps, kWarpSize - 1);
  const T before_warp = broadcast(of_warps, warp_id() == 0 ? 0 : warp_id() - 1);
  const T before_lane = shuffle_up(inclusive, 1);
  if (warp_id() == 0) return lane_id() == 0 ? identity : before_lane;
  return lane_id() == 0 ? before_warp : op(before_warp, before_lane);
}

}  // namespace downhill::cuda
