// The sums of b's columns, taken from its tiles while they are in shared memory: where b is d, and a is xᵀ, they are
// the bias gradient beside the weight gradient. Always of float32 as it lies in memory, whatever the product's
// precision.
#pragma once
#include "backend/cuda/device/platform.cuh"
#include "backend/cuda/device/tile_copy.cuh"

namespace downhill::cuda {

struct NoColumnSums {
  template <class Layout>
  __device__ __forceinline__ void add(const float*) const {}
  __device__ __forceinline__ void store(float*, int64_t) const {}
};

/// A thread adds up four columns of every kDown-th depth; then these are added up in order.
template <class Tile>
class ColumnSums {
 public:
  /// wanted: the same for all threads of a block; of the blocks that share columns of b, one writes them.
  __device__ __forceinline__ ColumnSums(bool wanted, float* to, int64_t n) : wanted_(wanted), to_(to), n_(n) {}

  template <class Layout>  // RowsInside
  __device__ __forceinline__ void add(const float* tile) {
    if (!wanted_) return;
    const int thread = thread_again(), across = thread % kAcross * 4, down = thread / kAcross;
    DH_UNROLL
    for (int k = 0; k < Tile::kDepth; k += kDown) {
      const float4 four = *reinterpret_cast<const float4*>(tile + Layout::at(across, k + down));
      sums_.x += four.x, sums_.y += four.y, sums_.z += four.z, sums_.w += four.w;
    }
  }

  /// When no copy is under way any more.
  __device__ __forceinline__ void store(float* shared, int64_t column0) const {
    if (!wanted_) return;
    const int thread = thread_again();
    __syncthreads();
    *reinterpret_cast<float4*>(shared + thread / kAcross * Tile::kColumns + thread % kAcross * 4) = sums_;
    __syncthreads();
    if (thread >= Tile::kColumns || column0 + thread >= n_) return;
    float sum = 0;
    DH_UNROLL_BY(1)
    for (int i = 0; i < kDown; ++i) sum += shared[i * Tile::kColumns + thread];
    to_[column0 + thread] = sum;
  }

 private:
  static constexpr int kAcross = Tile::kColumns / 4, kDown = Tile::kThreads / kAcross;
  static_assert(Tile::kThreads % kAcross == 0 && Tile::kDepth % kDown == 0, "every thread the same number of depths");
  static_assert(Tile::kThreads >= Tile::kColumns, "a thread for each column");
  const bool wanted_;
  float* const to_;
  const int64_t n_;
  float4 sums_ = make_float4(0, 0, 0, 0);
};

}  // namespace downhill::cuda
