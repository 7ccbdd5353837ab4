// Sparse rows (CSR): products, dropout, the check of indices, and batches of them.
#include "backend/cuda/commands.h"
#include "backend/cuda/device/block.cuh"
#include "backend/cuda/device/row_tiles.cuh"
#include "backend/cuda/kernels/grid.cuh"
#include "core/philox.h"
#include "ops/noise.h"

namespace downhill::cuda {

namespace {

constexpr int kThreads = 256;
constexpr int kWarps = kThreads / kWarpSize;
constexpr int kStretch = 4;  // sums of a lane
constexpr unsigned kScanThreads = 1024;
constexpr uint64_t kNowhere = uint64_t{1} << 62;

struct Sum {
  template <class T>
  __device__ T operator()(T a, T b) const {
    return a + b;
  }
};

struct Values {  // [begin, end)
  int64_t begin, end;
};

/// Of row r, within the room whatever indptr says.
__device__ __forceinline__ Values values_of(const SparseMatrix& a, int64_t r) {
  const int64_t begin = a.indptr[r], end = a.indptr[r + 1];
  const int64_t first = begin < 0 ? 0 : begin > a.room ? a.room : begin;
  return {first, end < first ? first : end > a.room ? a.room : end};
}

__device__ __forceinline__ bool inside(const SparseMatrix& a, int64_t column) {
  return column >= 0 && column < a.columns;
}

/// The first value of a row in a column from `column` on.
__device__ __forceinline__ int64_t first_from(const SparseMatrix& a, Values row, int64_t column) {
  while (row.begin < row.end) {
    const int64_t middle = (row.begin + row.end) / 2;
    if (a.indices[middle] < column)
      row.begin = middle + 1;
    else
      row.end = middle;
  }
  return row.begin;
}

/// The row of value k; -1: it is of none.
__device__ __forceinline__ int64_t row_of(const SparseMatrix& a, int64_t k) {
  int64_t low = 0, high = a.rows;  // the first r with k < indptr[r + 1]
  while (low < high) {
    const int64_t middle = (low + high) / 2;
    if (a.indptr[middle + 1] <= k)
      low = middle + 1;
    else
      high = middle;
  }
  return low < a.rows && a.indptr[low] <= k ? low : -1;
}

/// A warp for each element of y: lanes take the values in turn.
__global__ void __launch_bounds__(kThreads) narrow_kernel(SparseProductArgs args) {
  const int64_t tasks = args.a.rows * args.n;
  for (int64_t task = int64_t{blockIdx.x} * kWarps + warp_id(); task < tasks; task += int64_t{gridDim.x} * kWarps) {
    const Division at = divide(task, args.n);
    const Values row = values_of(args.a, at.quotient);
    float sum = 0;
    for (int64_t k = row.begin + lane_id(); k < row.end; k += kWarpSize) {
      const int64_t column = args.a.indices[k];
      if (inside(args.a, column)) sum += args.a.values[k] * args.b[column * args.n + at.remainder];
    }
    sum = warp_reduce(sum, Sum{});
    if (lane_id() == 0) args.y[task] = sum;
  }
}

/// A thread for each element of y.
__global__ void __launch_bounds__(kBlockThreads) wide_kernel(SparseProductArgs args, RowTiles tiles) {
  const int64_t r = tiles.row();
  if (r >= tiles.rows) return;
  const Values row = values_of(args.a, r);
  tiles.columns_of([&](int64_t u) {
    float sum = 0;
    for (int64_t k = row.begin; k < row.end; ++k) {
      const int64_t column = args.a.indices[k];
      if (inside(args.a, column)) sum += args.a.values[k] * args.b[column * args.n + u];
    }
    args.y[r * args.n + u] = sum;
  });
}

/// A warp for each column and stretch of b: each lane looks for the column in a row, then all add what was found, in
/// the order of the rows.
__global__ void __launch_bounds__(kThreads) transposed_kernel(SparseProductArgs args, int64_t stretches) {
  const SparseMatrix& a = args.a;
  const int64_t tasks = a.columns * stretches;
  for (int64_t task = int64_t{blockIdx.x} * kWarps + warp_id(); task < tasks; task += int64_t{gridDim.x} * kWarps) {
    const Division at = divide(task, stretches);
    const int64_t column = at.quotient, first = at.remainder * kStretch * kWarpSize + lane_id();
    float sum[kStretch] = {};
    for (int64_t group = 0; group < a.rows; group += kWarpSize) {
      const int64_t mine = group + lane_id();
      const Values row = mine < a.rows ? values_of(a, mine) : Values{0, 0};
      const int64_t found = first_from(a, row, column);
      uint32_t rows = __ballot_sync(kFullMask, found < row.end && a.indices[found] == column);
      for (; rows != 0; rows &= rows - 1) {
        const int lane = __ffs(static_cast<int>(rows)) - 1;
        const int64_t r = group + lane, end = broadcast(row.end, lane);
        for (int64_t k = broadcast(found, lane); k < end && a.indices[k] == column; ++k) {
          const float value = a.values[k];
          DH_UNROLL
          for (int j = 0; j < kStretch; ++j) {
            const int64_t u = first + j * kWarpSize;
            if (u < args.n) sum[j] += value * args.b[r * args.n + u];
          }
        }
      }
    }
    DH_UNROLL
    for (int j = 0; j < kStretch; ++j) {
      const int64_t u = first + j * kWarpSize;
      if (u < args.n) args.y[column * args.n + u] = sum[j];
    }
  }
}

__global__ void __launch_bounds__(kThreads) dots_kernel(SparseDotsArgs args) {
  for (int64_t k = int64_t{blockIdx.x} * kThreads + threadIdx.x; k < args.a.room; k += int64_t{gridDim.x} * kThreads) {
    const int64_t row = row_of(args.a, k), column = args.a.indices[k];
    float sum = 0;
    if (row >= 0 && inside(args.a, column))
      for (int64_t u = 0; u < args.n; ++u) sum += args.left[row * args.n + u] * args.right[column * args.n + u];
    args.y[k] = sum;
  }
}

__global__ void __launch_bounds__(kThreads) dropout_kernel(SparseDropoutArgs args, downhill::DH_ISA::Dropout f) {
  for (int64_t k = int64_t{blockIdx.x} * kThreads + threadIdx.x; k < args.a.room; k += int64_t{gridDim.x} * kThreads) {
    const int64_t row = row_of(args.a, k);
    const uint64_t element = static_cast<uint64_t>(row * args.a.columns + args.a.indices[k]);
    const downhill::DH_ISA::Philox4 random = downhill::DH_ISA::philox(args.key, args.state->counter, element / 4);
    args.y[k] = row >= 0 ? f(args.a.values[k], downhill::DH_ISA::uniform(random.v[element % 4])) : 0.0f;
  }
}

/// A warp for each row. They leave kNowhere - rank in state->where, which is 0 before: entries of indptr rank first.
__global__ void __launch_bounds__(kThreads) check_kernel(CheckSparseArgs args) {
  if (args.state->stopped) return;
  const SparseMatrix& a = args.a;
  for (int64_t r = int64_t{blockIdx.x} * kWarps + warp_id(); r <= a.rows; r += int64_t{gridDim.x} * kWarps) {
    uint64_t rank = kNowhere;
    const int64_t start = a.indptr[r];
    if (start < (r > 0 ? a.indptr[r - 1] : 0) || start > a.room) rank = static_cast<uint64_t>(r);
    if (rank == kNowhere && r < a.rows) {
      const Values row = values_of(a, r);
      for (int64_t k = row.begin + lane_id(); k < row.end && rank == kNowhere; k += kWarpSize)
        if (!inside(a, a.indices[k]) || (k > row.begin && a.indices[k] < a.indices[k - 1]))
          rank = static_cast<uint64_t>(a.rows + 1 + k);
    }
    if (rank != kNowhere)
      atomicMax(reinterpret_cast<unsigned long long*>(&args.state->where),
                static_cast<unsigned long long>(kNowhere - rank));
  }
}

__global__ void __launch_bounds__(1) finish_check_kernel(CheckSparseArgs args) {
  StepState& state = *args.state;
  if (state.stopped || state.where == 0) return;
  const int64_t rank = static_cast<int64_t>(kNowhere) - state.where, k = rank - args.a.rows - 1;
  state.where = k >= 0 ? k : args.a.room + rank;
  state.value = k >= 0 ? args.a.indices[k] : args.a.indptr[rank];
  state.command = args.id;
  state.stopped = static_cast<uint32_t>(Stop::index_out_of_range);
}

__device__ __forceinline__ int64_t row_in_data(const uint32_t* order, int64_t begin, int64_t at) {
  return begin + (order ? int64_t{order[at]} : at);
}

__global__ void __launch_bounds__(kScanThreads) load_starts_kernel(LoadStartsArgs args) {
  if (args.state->stopped) return;
  const int64_t position = args.state->position;
  int64_t before = 0;
  for (int64_t group = 0; group < args.rows; group += kScanThreads) {
    const int64_t i = group + threadIdx.x;
    int64_t length = 0, total = 0;
    if (i < args.rows) {
      const int64_t row = row_in_data(args.order, args.begin, position + i);
      length = args.indptr[row + 1] - args.indptr[row];
    }
    const int64_t start = before + block_exclusive_scan(length, Sum{}, int64_t{0}, total);
    if (i < args.rows) args.starts[i] = static_cast<int32_t>(start < args.room ? start : args.room);
    before += total;
  }
  if (threadIdx.x == 0) args.starts[args.rows] = static_cast<int32_t>(before < args.room ? before : args.room);
}

/// A warp for each row.
__global__ void __launch_bounds__(kThreads) load_values_kernel(LoadValuesArgs args) {
  if (args.state->stopped) return;
  const int64_t position = args.state->position;
  for (int64_t i = int64_t{blockIdx.x} * kWarps + warp_id(); i < args.rows; i += int64_t{gridDim.x} * kWarps) {
    const int64_t row = row_in_data(args.order, args.begin, position + i);
    const uint32_t* const from = args.column + args.indptr[row];
    const int64_t start = args.starts[i], count = args.starts[i + 1] - start;
    for (int64_t k = lane_id(); k < count; k += kWarpSize) args.to[start + k] = from[k];
  }
}

__global__ void __launch_bounds__(kThreads) load_gathered_kernel(LoadGatheredArgs args) {
  if (args.state->stopped) return;
  const uint32_t* const from = args.batches + divide(args.state->position, args.rows).quotient * args.words;
  for (int64_t i = int64_t{blockIdx.x} * kThreads + threadIdx.x; i < args.words; i += int64_t{gridDim.x} * kThreads)
    args.to[i] = from[i];
}

}  // namespace

void launch_check_sparse(const CheckSparseArgs& args, Stream stream) {
  launch(check_kernel, grid_for(args.a.rows + 1, kWarps), kThreads, 0, stream, args);
  launch(finish_check_kernel, 1, 1, 0, stream, args);
}

void launch_sparse_product(const SparseProductArgs& args, Stream stream) {
  const int64_t rows = args.transposed ? args.a.columns : args.a.rows;
  if (rows == 0 || args.n == 0) return;
  if (args.transposed) {
    const int64_t stretches = (args.n + kStretch * kWarpSize - 1) / (kStretch * kWarpSize);
    return launch(transposed_kernel, grid_for(rows * stretches, kWarps), kThreads, 0, stream, args, stretches);
  }
  if (args.n < kWarpSize) return launch(narrow_kernel, grid_for(rows * args.n, kWarps), kThreads, 0, stream, args);
  const RowTiles tiles(rows, args.n);
  launch(wide_kernel, tiles.blocks(), kBlockThreads, 0, stream, args, tiles);
}

void launch_sparse_dots(const SparseDotsArgs& args, Stream stream) {
  if (args.a.room == 0) return;
  launch(dots_kernel, grid_for(args.a.room, kThreads), kThreads, 0, stream, args);
}

void launch_sparse_dropout(const SparseDropoutArgs& args, Stream stream) {
  if (args.a.room == 0) return;
  launch(dropout_kernel, grid_for(args.a.room, kThreads), kThreads, 0, stream, args,
         downhill::DH_ISA::Dropout(args.rate));
}

void launch_load_starts(const LoadStartsArgs& args, Stream stream) {
  launch(load_starts_kernel, 1, kScanThreads, 0, stream, args);
}

void launch_load_values(const LoadValuesArgs& args, Stream stream) {
  if (args.rows == 0) return;
  launch(load_values_kernel, grid_for(args.rows, kWarps), kThreads, 0, stream, args);
}

void launch_load_gathered(const LoadGatheredArgs& args, Stream stream) {
  if (args.words == 0) return;
  launch(load_gathered_kernel, grid_for(args.words, kThreads), kThreads, 0, stream, args);
}

}  // namespace downhill::cuda
