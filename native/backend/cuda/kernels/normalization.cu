// Normalization of rows and its gradients. A team of threads shares a row. Rows that fit are read once and kept in
// registers, as are a thread's sums for gamma and beta over the rows of a piece.
#include "backend/cuda/commands/normalization.h"

#include "backend/cuda/device/row_teams.cuh"
#include "backend/cuda/kernels/grid.cuh"
#include "ops/normalization.h"

namespace downhill::cuda {

namespace {

namespace formula = downhill::DH_ISA::normalization;

constexpr int kThreads = kNormalizationThreads;
constexpr int kCount = 16;  // elements of a row in the registers of a thread, at most
constexpr int kBlockThreads = static_cast<int>(kBlockRow) / kCount;
constexpr int kGradientCount = 8;  // on the way back, beside as many of the gradient and of two sums
static_assert(kGradientCount * kWarpSize == kGradientWarpRow && kGradientCount * kBlockThreads == kGradientBlockRow);

/// Calls visit(k, j) for the elements j of a lane that are in registers.
template <int kHeld, typename Team, typename Visit>
__device__ __forceinline__ void for_held(const Team& team, int n, Visit visit) {
  DH_UNROLL
  for (int k = 0; k < kHeld; ++k) {
    const int j = team.lane + k * team.lanes;
    if (j < n) visit(k, j);
  }
}

template <typename Team>
__device__ __forceinline__ float total(const Team& team, float value) {
  return team.all(value, AddFloats(), 0.0f);
}

/// x̂ of a row, from its elements. `held`: n, or 0 for a team without a row, whose threads come along for the barriers.
template <bool kCentered, int kHeld, typename Team>
__device__ __forceinline__ float normalize_held(const Team& team, float (&x)[kHeld], int held, int64_t n,
                                                float epsilon) {
  float sum = 0.0f;
  if (kCentered) {
    for_held<kHeld>(team, held, [&](int k, int) { sum += x[k]; });
    const float mean = formula::mean(total(team, sum), n);
    for_held<kHeld>(team, held, [&](int k, int) { x[k] -= mean; });
    sum = 0.0f;
  }
  for_held<kHeld>(team, held, [&](int k, int) { sum += x[k] * x[k]; });
  const float inverse = formula::inverse(total(team, sum), n, epsilon);
  for_held<kHeld>(team, held, [&](int k, int) { x[k] = formula::normalized(x[k], inverse); });
  return inverse;
}

template <typename Args>
__device__ __forceinline__ float scaled(const Args& args, float value, int64_t j) {
  return args.gamma ? value * args.gamma[j] : value;
}

__device__ __forceinline__ void write(const NormalizationArgs& args, int64_t first, int64_t j, float normalized) {
  const float value = scaled(args, normalized, j);
  args.y[first + j] = args.beta ? value + args.beta[j] : value;
}

template <bool kCentered, int kHeld, typename Team>
__device__ __forceinline__ void forward_held(const Team& team, const NormalizationArgs& args, int64_t r, bool exists) {
  const int held = exists ? static_cast<int>(args.n) : 0;
  const int64_t first = r * args.n;
  float x[kHeld] = {};
  for_held<kHeld>(team, held, [&](int k, int j) { x[k] = args.x[first + j]; });
  normalize_held<kCentered>(team, x, held, args.n, args.epsilon);
  for_held<kHeld>(team, held, [&](int k, int j) { write(args, first, j, x[k]); });
}

/// Sums of a thread over the rows of a piece.
template <int kHeld>
struct HeldSums {
  float scale[kHeld], d[kHeld];
};

template <bool kCentered, int kHeld, typename Team>
__device__ __forceinline__ void backward_held(const Team& team, const NormalizationGradientArgs& args, int64_t r,
                                              bool exists, HeldSums<kHeld>& sums) {
  const int held = exists ? static_cast<int>(args.n) : 0;
  const int64_t first = r * args.n;
  float x[kHeld] = {}, d[kHeld] = {};
  for_held<kHeld>(team, held, [&](int k, int j) {
    x[k] = args.x[first + j];
    d[k] = args.d_y[first + j];
  });
  const float inverse = normalize_held<kCentered>(team, x, held, args.n, args.epsilon);
  float sum_d = 0.0f, sum_along = 0.0f;
  for_held<kHeld>(team, held, [&](int k, int j) {
    sums.scale[k] += d[k] * x[k];
    sums.d[k] += d[k];
    d[k] = scaled(args, d[k], j);
    sum_d += d[k];
    sum_along += d[k] * x[k];
  });
  if (!args.d_x) return;
  const float mean_d = kCentered ? formula::mean(total(team, sum_d), args.n) : 0.0f;
  const float mean_along = formula::mean(total(team, sum_along), args.n);
  for_held<kHeld>(team, held, [&](int k, int j) {
    args.d_x[first + j] = formula::input_gradient<kCentered>(d[k], x[k], mean_d, mean_along, inverse);
  });
}

template <int kHeld>
__device__ __forceinline__ void clear(HeldSums<kHeld>& sums) {
  DH_UNROLL
  for (int k = 0; k < kHeld; ++k) sums.scale[k] = sums.d[k] = 0.0f;
}

// Kernels ----------------------------------------------------------------------------------------------------------

template <bool kCentered, int kHeld>
__global__ void __launch_bounds__(kThreads) forward_by_warps(NormalizationArgs args, int lanes) {
  const int per_block = kThreads / lanes, thread = static_cast<int>(threadIdx.x);
  const WarpTeam team{thread % lanes, lanes};
  for (int64_t first = int64_t{blockIdx.x} * per_block; first < args.rows; first += int64_t{gridDim.x} * per_block) {
    const int64_t r = first + thread / lanes;
    forward_held<kCentered, kHeld>(team, args, r, r < args.rows);
  }
}

template <bool kCentered>
__global__ void __launch_bounds__(kBlockThreads) forward_by_blocks(NormalizationArgs args) {
  const BlockTeam team{static_cast<int>(threadIdx.x), static_cast<int>(blockDim.x)};
  for (int64_t r = blockIdx.x; r < args.rows; r += gridDim.x) forward_held<kCentered, kCount>(team, args, r, true);
}

/// Several rows at a time; the sums of the block's teams are added in their order.
template <bool kCentered, int kHeld>
__global__ void __launch_bounds__(kThreads, 1) backward_by_warps(NormalizationGradientArgs args, int lanes) {
  __shared__ float shared[2][kThreads];
  const int teams = kThreads / lanes, thread = static_cast<int>(threadIdx.x);
  const WarpTeam team{thread % lanes, lanes};
  const int64_t pieces = (args.rows + args.piece - 1) / args.piece;
  for (int64_t p = blockIdx.x; p < pieces; p += gridDim.x) {
    const int64_t begin = p * args.piece, left = args.rows - begin;
    const int64_t end = begin + (left < args.piece ? left : args.piece);
    HeldSums<kHeld> sums;
    clear(sums);
    for (int64_t first = begin; first < end; first += teams) {
      const int64_t r = first + thread / lanes;
      backward_held<kCentered, kHeld>(team, args, r, r < end, sums);
    }
    if (!args.scale_sums && !args.d_sums) continue;
    DH_UNROLL
    for (int k = 0; k < kHeld; ++k) {
      __syncthreads();  // the sums before have been read
      shared[0][thread] = sums.scale[k];
      shared[1][thread] = sums.d[k];
      __syncthreads();
      const int j = team.lane + k * lanes;
      if (thread >= lanes || j >= args.n) continue;
      float scale = 0.0f, d = 0.0f;
      for (int t = 0; t < teams; ++t) {
        scale += shared[0][t * lanes + thread];
        d += shared[1][t * lanes + thread];
      }
      if (args.scale_sums) args.scale_sums[p * args.n + j] = scale;
      if (args.d_sums) args.d_sums[p * args.n + j] = d;
    }
  }
}

template <bool kCentered>
__global__ void __launch_bounds__(kBlockThreads) backward_by_blocks(NormalizationGradientArgs args) {
  const BlockTeam team{static_cast<int>(threadIdx.x), static_cast<int>(blockDim.x)};
  const int64_t pieces = (args.rows + args.piece - 1) / args.piece;
  for (int64_t p = blockIdx.x; p < pieces; p += gridDim.x) {
    const int64_t begin = p * args.piece, left = args.rows - begin;
    const int64_t end = begin + (left < args.piece ? left : args.piece);
    HeldSums<kGradientCount> sums;
    clear(sums);
    for (int64_t r = begin; r < end; ++r) backward_held<kCentered, kGradientCount>(team, args, r, true, sums);
    for_held<kGradientCount>(team, static_cast<int>(args.n), [&](int k, int j) {
      if (args.scale_sums) args.scale_sums[p * args.n + j] = sums.scale[k];
      if (args.d_sums) args.d_sums[p * args.n + j] = sums.d[k];
    });
  }
}

// Long rows: a block reads its row again for each pass, every thread the same elements. ------------------------------

struct LongRow {
  const float* x;
  float mean, inverse;
  __device__ float normalized(int64_t j) const { return formula::normalized(x[j] - mean, inverse); }
};

template <bool kCentered>
__device__ __forceinline__ LongRow long_row(const BlockTeam& team, const float* x, int64_t n, float epsilon) {
  float sum = 0.0f, mean = 0.0f;
  if (kCentered) {
    for (int64_t j = team.lane; j < n; j += team.lanes) sum += x[j];
    mean = formula::mean(total(team, sum), n);
    sum = 0.0f;
  }
  for (int64_t j = team.lane; j < n; j += team.lanes) sum += (x[j] - mean) * (x[j] - mean);
  return {x, mean, formula::inverse(total(team, sum), n, epsilon)};
}

template <bool kCentered>
__global__ void __launch_bounds__(kBlockThreads) forward_of_long_rows(NormalizationArgs args) {
  const BlockTeam team{static_cast<int>(threadIdx.x), static_cast<int>(blockDim.x)};
  for (int64_t r = blockIdx.x; r < args.rows; r += gridDim.x) {
    const LongRow row = long_row<kCentered>(team, args.x + r * args.n, args.n, args.epsilon);
    for (int64_t j = team.lane; j < args.n; j += team.lanes) write(args, r * args.n, j, row.normalized(j));
  }
}

template <bool kCentered>
__global__ void __launch_bounds__(kBlockThreads) backward_of_long_rows(NormalizationGradientArgs args) {
  const BlockTeam team{static_cast<int>(threadIdx.x), static_cast<int>(blockDim.x)};
  const int64_t n = args.n, pieces = (args.rows + args.piece - 1) / args.piece;
  for (int64_t p = blockIdx.x; p < pieces; p += gridDim.x) {
    const int64_t begin = p * args.piece, left = args.rows - begin;
    const int64_t end = begin + (left < args.piece ? left : args.piece);
    for (int64_t r = begin; r < end; ++r) {
      const LongRow row = long_row<kCentered>(team, args.x + r * n, n, args.epsilon);
      const float* const d_y = args.d_y + r * n;
      float sum_d = 0.0f, sum_along = 0.0f;
      for (int64_t j = team.lane; j < n; j += team.lanes) {
        const float normalized = row.normalized(j), d = scaled(args, d_y[j], j);
        sum_d += d;
        sum_along += d * normalized;
        const int64_t at = p * n + j;
        if (args.scale_sums) args.scale_sums[at] = (r == begin ? 0.0f : args.scale_sums[at]) + d_y[j] * normalized;
        if (args.d_sums) args.d_sums[at] = (r == begin ? 0.0f : args.d_sums[at]) + d_y[j];
      }
      if (!args.d_x) continue;
      const float mean_d = kCentered ? formula::mean(total(team, sum_d), n) : 0.0f;
      const float mean_along = formula::mean(total(team, sum_along), n);
      for (int64_t j = team.lane; j < n; j += team.lanes)
        args.d_x[r * n + j] = formula::input_gradient<kCentered>(scaled(args, d_y[j], j), row.normalized(j), mean_d,
                                                                 mean_along, row.inverse);
    }
  }
}

int block_threads(int64_t n, int count) {
  int threads = 64;
  while (int64_t{threads} * count < n) threads *= 2;
  return threads;
}

template <bool kCentered>
void launch_forward(const NormalizationArgs& args, Stream stream) {
  if (args.n <= kWarpRow) {
    const int lanes = row_lanes(args.n);
    const auto kernel = args.n <= 4 * kWarpSize ? forward_by_warps<kCentered, 4> : forward_by_warps<kCentered, kCount>;
    return launch(kernel, grid_for(args.rows, kThreads / lanes), kThreads, 0, stream, args, lanes);
  }
  const unsigned blocks = grid_for(args.rows, 1);
  if (args.n > kBlockRow) return launch(forward_of_long_rows<kCentered>, blocks, kBlockThreads, 0, stream, args);
  launch(forward_by_blocks<kCentered>, blocks, block_threads(args.n, kCount), 0, stream, args);
}

template <bool kCentered>
void launch_backward(const NormalizationGradientArgs& args, Stream stream) {
  const unsigned blocks = grid_for(args.rows, args.piece);
  if (args.n <= kGradientWarpRow) {
    const int lanes = row_lanes(args.n);
    const auto kernel =
        args.n <= 4 * kWarpSize ? backward_by_warps<kCentered, 4> : backward_by_warps<kCentered, kGradientCount>;
    return launch(kernel, blocks, kThreads, 0, stream, args, lanes);
  }
  if (args.n > kGradientBlockRow)
    return launch(backward_of_long_rows<kCentered>, blocks, kBlockThreads, 0, stream, args);
  launch(backward_by_blocks<kCentered>, blocks, block_threads(args.n, kGradientCount), 0, stream, args);
}

}  // namespace

void launch_normalization(const NormalizationArgs& args, Stream stream) {
  if (args.rows * args.n == 0) return;
  args.centered ? launch_forward<true>(args, stream) : launch_forward<false>(args, stream);
}

void launch_normalization_gradient(const NormalizationGradientArgs& args, Stream stream) {
  if (args.rows * args.n == 0) return;
  args.centered ? launch_backward<true>(args, stream) : launch_backward<false>(args, stream);
}

}  // namespace downhill::cuda
