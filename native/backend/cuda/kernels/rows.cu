// Softmax and its relatives. A team of threads shares a row: element j belongs to lane j mod lanes. Rows that fit are
// read once and kept in registers; for others the largest element and the sum of exponentials grow together (Milakov &
// Gimelshein 2018, arXiv:1805.02867), and the row is read again for the results.
#include "backend/cuda/commands/rows.h"

#include "backend/cuda/device/row_teams.cuh"
#include "backend/cuda/kernels/grid.cuh"
#include "backend/cuda/kernels/row_ops.cuh"
#include "ops/reduce.h"

namespace downhill::cuda {

namespace {

constexpr int kThreads = 256;

struct Largest {
  __device__ float operator()(float a, float b) const { return downhill::DH_ISA::MaxOf<float>::apply(a, b); }
};

/// Threads of a block that are `width` apart; width rows side by side.
struct LineTeam {
  int lane, lanes, width;
  float* shared;  // one number for each thread
  template <typename Op>
  __device__ float all(float value, Op op, float) const {
    __syncthreads();  // the previous result has been read
    shared[threadIdx.x] = value;
    for (int half = lanes / 2; half > 0; half /= 2) {
      __syncthreads();
      if (lane < half)
        shared[threadIdx.x] = op(shared[threadIdx.x], shared[static_cast<int>(threadIdx.x) + half * width]);
    }
    __syncthreads();
    return shared[static_cast<int>(threadIdx.x) % width];
  }
};

/// Where a row lies.
struct RowPlace {
  int64_t index, first, stride;  // number of the row; first element, distance of elements
  bool exists;                   // threads of teams without a row come along for the barriers
};

template <typename Op, typename Team>
__device__ __forceinline__ void sum_up(const Team& team, RowSums& sums) {
  DH_UNROLL
  for (int i = 0; i < Op::kSums; ++i) sums.of[i] = team.all(sums.of[i], AddFloats(), 0.0f);
}

/// What the results need beside the elements.
template <typename Op>
__device__ __forceinline__ RowValues finish(const RowsArgs& args, const RowPlace& row, float top, const RowSums& sums) {
  RowValues values{top, Op::factor(sums), 0.0f, -1};
  if (!row.exists) return values;
  if (Op::kGradient) values.d_y = args.d_y[row.index];
  if (Op::kLabels) values.label = static_cast<const int32_t*>(args.second)[row.index];
  return values;
}

template <typename Op, typename Team>
__device__ __forceinline__ void write_one(const Team& team, const RowsArgs& args, const RowPlace& row,
                                          const RowValues& values, const RowSums& sums) {
  if (team.lane != 0 || !row.exists) return;
  float x_label = math::nan();
  if (Op::kLabels && values.label >= 0 && values.label < args.n)
    x_label = args.x[row.first + values.label * row.stride];
  args.y[row.index] = Op::one(values, sums, x_label);
}

/// A contiguous row of at most kCount elements for each lane.
template <typename Op, int kCount, typename Team>
__device__ __forceinline__ void row_in_registers(const Team& team, const RowsArgs& args, const RowPlace& row) {
  const int n = row.exists ? static_cast<int>(args.n) : 0;
  const float* const from = args.x + row.first;
  const float* const second = Op::kElements ? static_cast<const float*>(args.second) + row.first : nullptr;
  float x[kCount], s[kCount];
  DH_UNROLL
  for (int k = 0; k < kCount; ++k) {
    const int j = team.lane + k * team.lanes;
    x[k] = j < n ? from[j] : -math::kInf;
    s[k] = Op::kElements && j < n ? second[j] : 0.0f;
  }
  float top = -math::kInf;
  if (Op::kTop) {
    DH_UNROLL
    for (int k = 0; k < kCount; ++k) top = Largest()(top, x[k]);
    top = team.all(top, Largest(), -math::kInf);
  }
  RowSums sums{};
  DH_UNROLL
  for (int k = 0; k < kCount; ++k) {
    if (team.lane + k * team.lanes >= n) break;
    const float kept = Op::keep(x[k], top);
    Op::add(sums, x[k], kept, s[k], top);
    x[k] = kept;
  }
  sum_up<Op>(team, sums);
  const RowValues values = finish<Op>(args, row, top, sums);
  if constexpr (Op::kOne) {
    write_one<Op>(team, args, row, values, sums);
  } else {
    DH_UNROLL
    for (int k = 0; k < kCount; ++k) {
      const int j = team.lane + k * team.lanes;
      if (j >= n) break;
      args.y[row.first + j] = Op::value(x[k], s[k], j == values.label, values);
    }
  }
}

/// Calls visit(j, x, second) for the elements of a lane, which are loaded four at a time.
template <typename Op, typename Team, typename Visit>
__device__ __forceinline__ void for_elements(const Team& team, const RowsArgs& args, const RowPlace& row, Visit visit) {
  constexpr int kAtOnce = 4;
  const int64_t n = row.exists ? args.n : 0;
  for (int64_t begin = team.lane; begin < n; begin += int64_t{kAtOnce} * team.lanes) {
    float x[kAtOnce], s[kAtOnce];
    DH_UNROLL
    for (int k = 0; k < kAtOnce; ++k) {
      const int64_t j = begin + k * team.lanes, at = row.first + j * row.stride;
      x[k] = j < n ? args.x[at] : 0.0f;
      s[k] = Op::kElements && j < n ? static_cast<const float*>(args.second)[at] : 0.0f;
    }
    DH_UNROLL
    for (int k = 0; k < kAtOnce; ++k)
      if (begin + k * team.lanes < n) visit(begin + k * team.lanes, x[k], s[k]);
  }
}

/// The largest element, and the sums with the exponentials relative to it, from reading the row once.
template <typename Op, typename Team>
__device__ __forceinline__ float sums_online(const Team& team, const RowsArgs& args, const RowPlace& row,
                                             RowSums& sums) {
  float top = -math::kInf;
  for_elements<Op>(team, args, row, [&](int64_t, float x, float s) {
    if (!(x <= top) && !math::is_nan(top)) {  // NaN stays the largest
      sums.of[0] *= math::exp(top - x);       // 0 · 0 at the first
      top = x;
    }
    const float pivot = top == -math::kInf ? 0.0f : top;
    Op::add(sums, x, Op::keep(x, pivot), s, pivot);
  });
  const float of_row = team.all(top, Largest(), -math::kInf);
  if (top != of_row) sums.of[0] *= math::exp(top - of_row);
  sum_up<Op>(team, sums);
  return of_row;
}

template <typename Op, typename Team>
__device__ __forceinline__ void row_in_memory(const Team& team, const RowsArgs& args, const RowPlace& row) {
  float top = -math::kInf;
  RowSums sums{};
  if constexpr (Op::kOnline) {
    top = sums_online<Op>(team, args, row, sums);
  } else {
    if (Op::kTop) {
      for_elements<Op>(team, args, row, [&](int64_t, float x, float) { top = Largest()(top, x); });
      top = team.all(top, Largest(), -math::kInf);
    }
    for_elements<Op>(team, args, row, [&](int64_t, float x, float s) { Op::add(sums, x, Op::keep(x, top), s, top); });
    sum_up<Op>(team, sums);
  }
  const RowValues values = finish<Op>(args, row, top, sums);
  if constexpr (Op::kOne) {
    write_one<Op>(team, args, row, values, sums);
  } else {
    for_elements<Op>(team, args, row, [&](int64_t j, float x, float s) {
      args.y[row.first + j * row.stride] = Op::value(Op::keep(x, top), s, j == values.label, values);
    });
  }
}

// Kernels ----------------------------------------------------------------------------------------------------------

template <typename Op, int kCount>
__global__ void __launch_bounds__(kThreads) rows_by_warps(RowsArgs args, int lanes) {
  const int per_block = kThreads / lanes, thread = static_cast<int>(threadIdx.x);
  const WarpTeam team{thread % lanes, lanes};
  for (int64_t first = int64_t{blockIdx.x} * per_block; first < args.outer; first += int64_t{gridDim.x} * per_block) {
    const int64_t r = first + thread / lanes;
    row_in_registers<Op, kCount>(team, args, {r, r * args.n, 1, r < args.outer});
  }
}

constexpr int kBlockCount = 16, kBlockThreads = static_cast<int>(kBlockRow) / kBlockCount;

template <typename Op>
__global__ void __launch_bounds__(kBlockThreads) rows_by_blocks(RowsArgs args) {
  const BlockTeam team{static_cast<int>(threadIdx.x), static_cast<int>(blockDim.x)};
  for (int64_t r = blockIdx.x; r < args.outer; r += gridDim.x)
    row_in_registers<Op, kBlockCount>(team, args, {r, r * args.n, 1, true});
}

template <typename Op>
__global__ void __launch_bounds__(kBlockThreads) long_rows(RowsArgs args) {
  const BlockTeam team{static_cast<int>(threadIdx.x), static_cast<int>(blockDim.x)};
  for (int64_t r = blockIdx.x; r < args.outer; r += gridDim.x) row_in_memory<Op>(team, args, {r, r * args.n, 1, true});
}

template <typename Op>
__global__ void __launch_bounds__(kThreads) rows_by_lines(RowsArgs args, int width) {
  __shared__ float shared[kThreads];
  const int thread = static_cast<int>(threadIdx.x);
  const LineTeam team{thread / width, kThreads / width, width, shared};
  const int64_t tiles = (args.inner + width - 1) / width;
  for (int64_t task = blockIdx.x; task < args.outer * tiles; task += gridDim.x) {
    const Division place = divide(task, tiles);
    const int64_t o = place.quotient, i = place.remainder * width + thread % width;
    row_in_memory<Op>(team, args, {o * args.inner + i, o * args.n * args.inner + i, args.inner, i < args.inner});
  }
}

template <typename Op>
void launch_row_op(const RowsArgs& args, Stream stream) {
  if (args.inner > 1) {
    int width = 1;
    while (width < kThreads && width < args.inner) width *= 2;
    while (width > 32 && int64_t{kThreads / width} * 4 < args.n) width /= 2;  // few rows, or long ones: more lanes
    const int64_t tiles = (args.inner + width - 1) / width;
    return launch(rows_by_lines<Op>, grid_for(args.outer * tiles, 1), kThreads, 0, stream, args, width);
  }
  if (args.n <= kWarpRow) {
    const int lanes = row_lanes(args.n);
    const auto kernel = args.n <= 4 * 32 ? rows_by_warps<Op, 4> : rows_by_warps<Op, kWarpRow / 32>;
    return launch(kernel, grid_for(args.outer, kThreads / lanes), kThreads, 0, stream, args, lanes);
  }
  if (args.n > kBlockRow) return launch(long_rows<Op>, grid_for(args.outer, 1), kBlockThreads, 0, stream, args);
  int threads = 64;
  while (threads * kBlockCount < args.n) threads *= 2;
  launch(rows_by_blocks<Op>, grid_for(args.outer, 1), threads, 0, stream, args);
}

}  // namespace

void launch_rows(const RowsArgs& args, Stream stream) {
  if (args.outer * args.inner == 0) return;
  switch (args.op) {
    case RowOp::softmax:
      return launch_row_op<Softmax>(args, stream);
    case RowOp::log_softmax:
      return launch_row_op<LogSoftmax>(args, stream);
    case RowOp::log_sum_exp:
      return launch_row_op<LogSumExp>(args, stream);
    case RowOp::softmax_grad:
      return launch_row_op<SoftmaxGrad>(args, stream);
    case RowOp::log_softmax_grad:
      return launch_row_op<LogSoftmaxGrad>(args, stream);
    case RowOp::cross_entropy:
      return launch_row_op<CrossEntropy>(args, stream);
    case RowOp::cross_entropy_grad:
      return launch_row_op<CrossEntropyGrad>(args, stream);
    case RowOp::sparse_cross_entropy:
      return launch_row_op<SparseCrossEntropy>(args, stream);
    case RowOp::sparse_cross_entropy_grad:
      return launch_row_op<SparseCrossEntropyGrad>(args, stream);
  }
}

}  // namespace downhill::cuda
