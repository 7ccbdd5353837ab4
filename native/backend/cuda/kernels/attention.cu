// Attention with running maxima and sums. A warp has one query (or, for the gradients of keys and values, one key) and
// walks over 32 of the others at a time: a score in each lane, then a column of the result in each lane.
#include "backend/cuda/commands/attention.h"

#include "backend/cuda/device/warp.cuh"
#include "backend/cuda/kernels/grid.cuh"
#include "core/philox.h"
#include "ops/attention.h"
#include "ops/noise.h"

namespace downhill::cuda {

namespace {

namespace formula = downhill::DH_ISA::attention;
using downhill::DH_ISA::Dropout;

constexpr int kWarps = 4;
constexpr int kColumns = 4;  // of a result that a lane keeps at a time: 128 in a warp

__device__ __forceinline__ float sum_of(float x) {
  return warp_reduce(x, [](float a, float b) { return a + b; });
}
__device__ __forceinline__ float most_of(float x) {
  return warp_reduce(x, [](float a, float b) { return a > b ? a : b; });
}

struct Place {
  int64_t example, head;
};

__device__ __forceinline__ const float* row_of(const AttentionRows& rows, Place at, int64_t steps, int64_t step,
                                               int64_t dim) {
  return rows.at + (at.example * steps + step) * rows.row + at.head * dim;
}

__device__ __forceinline__ float dot(const float* a, const float* b, int64_t n) {
  float sum = 0;
  for (int64_t i = 0; i < n; ++i) sum += a[i] * b[i];
  return sum;
}

/// But for the order of time.
__device__ __forceinline__ float score(const AttentionArgs& args, Place at, int64_t query, int64_t key) {
  float s =
      dot(row_of(args.q, at, args.queries, query, args.dim), row_of(args.k, at, args.keys, key, args.dim), args.dim) *
      args.scale;
  if (args.mask) {
    const int64_t offset = at.example * args.mask_stride[0] + at.head * args.mask_stride[1] +
                           query * args.mask_stride[2] + key * args.mask_stride[3];
    s = args.added ? formula::masked(s, static_cast<const float*>(args.mask)[offset])
                   : formula::masked(s, static_cast<const int32_t*>(args.mask)[offset]);
  }
  return s;
}

/// Keys behind these are not visited, nor queries before that one.
__device__ __forceinline__ int64_t end_of_keys(const AttentionArgs& args, int64_t query) {
  const int64_t seen = formula::causal_keys(query);
  return args.causal && seen < args.keys ? seen : args.keys;
}
__device__ __forceinline__ int64_t first_query(const AttentionArgs& args, int64_t key) {
  return args.causal ? formula::causal_query(key) : 0;
}

__device__ __forceinline__ float dropped(const AttentionArgs& args, Place at, int64_t query, int64_t key, float x) {
  if (args.rate == 0.0f) return x;
  const int64_t element = ((at.example * args.heads + at.head) * args.queries + query) * args.keys + key;
  const downhill::DH_ISA::Philox4 random =
      downhill::DH_ISA::philox(args.key, args.state->counter, static_cast<uint64_t>(element / 4));
  return Dropout(args.rate)(x, downhill::DH_ISA::uniform(random.v[element % 4]));
}

/// p and the gradient of the product q · k, of a query and a key.
struct Pair {
  float p, d;
};
__device__ __forceinline__ Pair pair_of(const AttentionArgs& args, Place at, int64_t query, int64_t key) {
  const int64_t row = at.example * args.queries + query;
  const float* const y = args.y + row * args.y_row + at.head;
  const float p = formula::probability(score(args, at, query, key), y[args.shift], y[args.factor]);
  const float d_p = dot(args.d + row * args.results() + at.head * args.value_dim,
                        row_of(args.v, at, args.keys, key, args.value_dim), args.value_dim);
  const float delta = args.delta[(at.example * args.heads + at.head) * args.queries + query];
  const float d = formula::product_gradient(p, dropped(args, at, query, key, d_p), delta, args.scale);
  return {dropped(args, at, query, key, p), d};
}

/// sum[i] += Σ over 32 rows of factor (of lane r) · row r at column + lane + 32 i.
template <typename RowOf>
__device__ __forceinline__ void add_rows(float factor, int count, int64_t column, int64_t columns, RowOf row,
                                         float (&sum)[kColumns]) {
  for (int r = 0; r < count; ++r) {
    const float f = broadcast(factor, r);
    const float* const from = row(r);
    DH_UNROLL
    for (int i = 0; i < kColumns; ++i) {
      const int64_t c = column + lane_id() + kWarpSize * i;
      if (c < columns) sum[i] += f * from[c];
    }
  }
}

__device__ __forceinline__ void store_row(float* to, const float (&sum)[kColumns], float scale, int64_t column,
                                          int64_t columns) {
  DH_UNROLL
  for (int i = 0; i < kColumns; ++i) {
    const int64_t c = column + lane_id() + kWarpSize * i;
    if (c < columns) to[c] = sum[i] * scale;
  }
}

__device__ __forceinline__ int64_t first_task() { return int64_t{blockIdx.x} * kWarps + threadIdx.x / kWarpSize; }

/// body(place, step of it) for the tasks of a warp: all steps of all heads.
template <typename F>
__device__ __forceinline__ void for_steps(const AttentionArgs& args, int64_t steps, F body) {
  const int64_t tasks = args.n * args.heads * steps;
  for (int64_t task = first_task(); task < tasks; task += int64_t{gridDim.x} * kWarps) {
    const Division step = divide(task, steps), head = divide(step.quotient, args.heads);
    body(Place{head.quotient, head.remainder}, step.remainder);
  }
}

__global__ void __launch_bounds__(kWarps* kWarpSize) forward_kernel(const AttentionArgs args) {
  for_steps(args, args.queries, [&](Place at, int64_t query) {
    float* const y = args.y + (at.example * args.queries + query) * args.y_row;
    for (int64_t column = 0; column < args.value_dim; column += kWarpSize * kColumns) {
      float top = formula::kHidden, shift = 0, total = 0, sum[kColumns] = {};
      const int64_t end = end_of_keys(args, query);
      for (int64_t key = 0; key < end; key += kWarpSize) {
        const int count = end - key < kWarpSize ? static_cast<int>(end - key) : kWarpSize;
        const float s = lane_id() < count ? score(args, at, query, key + lane_id()) : formula::kHidden;
        const float most = most_of(s);
        const float next = most > top ? most : top;
        shift = formula::shift_of(next);
        const float keep = formula::exponential(top, shift);
        top = next;
        const float p = formula::exponential(s, shift);
        total = total * keep + sum_of(lane_id() < count ? p : 0.0f);
        DH_UNROLL
        for (float& one : sum) one *= keep;
        const float used = lane_id() < count ? dropped(args, at, query, key + lane_id(), p) : 0.0f;
        add_rows(
            used, count, column, args.value_dim,
            [&](int r) { return row_of(args.v, at, args.keys, key + r, args.value_dim); }, sum);
      }
      const float factor = formula::factor_of(total);
      store_row(y + at.head * args.value_dim, sum, factor, column, args.value_dim);
      if (column == 0 && lane_id() == 0) y[args.shift + at.head] = shift, y[args.factor + at.head] = factor;
    }
  });
}

/// delta: Σ y · d_y of each query's results.
__global__ void __launch_bounds__(kWarps* kWarpSize) delta_kernel(const AttentionArgs args) {
  for_steps(args, args.queries, [&](Place at, int64_t query) {
    const int64_t row = at.example * args.queries + query;
    const float *const y = args.y + row * args.y_row, *const d = args.d + row * args.results();
    float sum = 0;
    for (int64_t c = lane_id(); c < args.value_dim; c += kWarpSize)
      sum += y[at.head * args.value_dim + c] * d[at.head * args.value_dim + c];
    sum = sum_of(sum);
    if (lane_id() == 0) args.delta[(at.example * args.heads + at.head) * args.queries + query] = sum;
  });
}

__global__ void __launch_bounds__(kWarps* kWarpSize) queries_kernel(const AttentionArgs args) {
  for_steps(args, args.queries, [&](Place at, int64_t query) {
    for (int64_t column = 0; column < args.dim; column += kWarpSize * kColumns) {
      float sum[kColumns] = {};
      const int64_t end = end_of_keys(args, query);
      for (int64_t key = 0; key < end; key += kWarpSize) {
        const int count = end - key < kWarpSize ? static_cast<int>(end - key) : kWarpSize;
        const float d = lane_id() < count ? pair_of(args, at, query, key + lane_id()).d : 0.0f;
        add_rows(
            d, count, column, args.dim, [&](int r) { return row_of(args.k, at, args.keys, key + r, args.dim); }, sum);
      }
      store_row(const_cast<float*>(row_of(args.d_q, at, args.queries, query, args.dim)), sum, 1.0f, column, args.dim);
    }
  });
}

__global__ void __launch_bounds__(kWarps* kWarpSize) keys_kernel(const AttentionArgs args) {
  for_steps(args, args.keys, [&](Place at, int64_t key) {
    const int64_t columns = args.dim > args.value_dim ? args.dim : args.value_dim;
    for (int64_t column = 0; column < columns; column += kWarpSize * kColumns) {
      float of_key[kColumns] = {}, of_value[kColumns] = {};
      for (int64_t query = first_query(args, key); query < args.queries; query += kWarpSize) {
        const int64_t left = args.queries - query;
        const int count = left < kWarpSize ? static_cast<int>(left) : kWarpSize;
        const Pair pair = lane_id() < count ? pair_of(args, at, query + lane_id(), key) : Pair{0, 0};
        add_rows(
            pair.d, count, column, args.dim,
            [&](int r) { return row_of(args.q, at, args.queries, query + r, args.dim); }, of_key);
        add_rows(
            pair.p, count, column, args.value_dim,
            [&](int r) {
              return args.d + (at.example * args.queries + query + r) * args.results() + at.head * args.value_dim;
            },
            of_value);
      }
      store_row(const_cast<float*>(row_of(args.d_k, at, args.keys, key, args.dim)), of_key, 1.0f, column, args.dim);
      store_row(const_cast<float*>(row_of(args.d_v, at, args.keys, key, args.value_dim)), of_value, 1.0f, column,
                args.value_dim);
    }
  });
}

}  // namespace

void launch_attention(const AttentionArgs& args, Stream stream) {
  const int64_t queries = args.n * args.heads * args.queries, keys = args.n * args.heads * args.keys;
  const auto run = [&](void (*kernel)(AttentionArgs), int64_t tasks) {
    if (tasks > 0) launch(kernel, dim3(grid_for(tasks, kWarps)), dim3(kWarps * kWarpSize), 0, stream, args);
  };
  if (!args.backward) return run(forward_kernel, queries);
  run(delta_kernel, queries);
  run(queries_kernel, queries);
  run(keys_kernel, keys);
}

}  // namespace downhill::cuda
