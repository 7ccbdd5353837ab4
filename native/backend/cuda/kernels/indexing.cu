// Checking indices and following them. The transpose of gather: kernels/scatter.cu.
#include "backend/cuda/commands.h"
#include "backend/cuda/device/block.cuh"
#include "backend/cuda/device/row_tiles.cuh"
#include "backend/cuda/device/vector.cuh"

namespace downhill::cuda {

namespace {

constexpr unsigned kCheckThreads = 1024;
constexpr int64_t kPerCheckBlock = 16 * kCheckThreads;
constexpr uint64_t kNowhere = uint64_t{1} << 62;

struct Least {
  __device__ uint64_t operator()(uint64_t a, uint64_t b) const { return a < b ? a : b; }
};

__device__ void stop(const CheckIndicesArgs& args, int64_t position) {
  args.state->where = position;
  args.state->value = args.indices[position];
  args.state->command = args.id;
  args.state->stopped = static_cast<uint32_t>(Stop::index_out_of_range);
}

/// One block stops the step by itself. Several leave kNowhere - position in state->where, which is 0 before: the
/// largest is the first position, whatever the order of the blocks.
__global__ void __launch_bounds__(kCheckThreads) check_kernel(CheckIndicesArgs args) {
  if (args.state->stopped) return;
  const uint64_t limit = static_cast<uint64_t>(args.limit);
  const int64_t begin = int64_t{blockIdx.x} * kPerCheckBlock,
                end = begin + kPerCheckBlock < args.n ? begin + kPerCheckBlock : args.n;
  uint64_t first = kNowhere;
  for (int64_t i = begin + threadIdx.x; i < end && first == kNowhere; i += kCheckThreads)
    if (static_cast<uint32_t>(args.indices[i]) >= limit || args.indices[i] < 0) first = static_cast<uint64_t>(i);
  first = block_reduce(first, Least{}, kNowhere);
  if (threadIdx.x != 0 || first == kNowhere) return;
  if (gridDim.x == 1)
    stop(args, static_cast<int64_t>(first));
  else
    atomicMax(reinterpret_cast<unsigned long long*>(&args.state->where),
              static_cast<unsigned long long>(kNowhere - first));
}

__global__ void finish_check_kernel(CheckIndicesArgs args) {
  if (args.state->stopped || args.state->where == 0) return;
  stop(args, static_cast<int64_t>(kNowhere) - args.state->where);
}

/// Rows (outer, count) of this piece.
template <typename V>
struct Gather {
  const V* x;
  const int32_t* indices;
  V* y;
  RowTiles tiles;
  FastDivide count;
  int64_t n, x_outer, y_outer;  // rows of x; steps from one outer to the next
};

template <typename V>
__global__ void __launch_bounds__(kBlockThreads) gather_kernel(Gather<V> args) {
  const int64_t row = args.tiles.row();
  if (row >= args.tiles.rows) return;
  const uint32_t o = args.count(static_cast<uint32_t>(row)), i = static_cast<uint32_t>(row) - o * args.count.divisor();
  const int64_t index = args.indices[i];
  const bool inside = index >= 0 && index < args.n;
  const V* const from = args.x + o * args.x_outer + (inside ? index : 0) * args.tiles.columns;
  V* const to = args.y + o * args.y_outer + i * args.tiles.columns;
  args.tiles.columns_of([&](int64_t column) { to[column] = inside ? from[column] : V{}; });
}

/// `inner` in steps of V.
template <typename V>
void gather(const GatherArgs& args, int64_t inner, Stream stream) {
  const int64_t x_outer = args.n * inner, y_outer = args.count * inner;
  for_row_pieces(args.outer, args.count, [&](int64_t o, int64_t outer, int64_t i, int64_t count) {
    const RowTiles tiles(outer * count, inner);
    const Gather<V> piece{static_cast<const V*>(args.x) + o * x_outer,
                          args.indices + i,
                          static_cast<V*>(args.y) + o * y_outer + i * inner,
                          tiles,
                          FastDivide(static_cast<uint32_t>(count)),
                          args.n,
                          x_outer,
                          y_outer};
    launch(gather_kernel<V>, tiles.blocks(), kBlockThreads, 0, stream, piece);
  });
}

/// y[i] for columns [begin, begin + columns.divisor()) of consecutive rows.
__global__ void __launch_bounds__(kBlockThreads)
    one_hot_kernel(const int32_t* labels, float* y, uint32_t n, FastDivide columns, int64_t begin, bool aligned) {
  const uint32_t first = (blockIdx.x * kBlockThreads + threadIdx.x) * kQuad;
  if (first >= n) return;
  const int count = n - first < kQuad ? static_cast<int>(n - first) : kQuad;
  float hot[kQuad] = {};
  for (int j = 0; j < kQuad; ++j) {
    if (j >= count) break;
    const uint32_t position = first + static_cast<uint32_t>(j), row = columns(position);
    hot[j] = labels[row] == begin + (position - row * columns.divisor()) ? 1.0f : 0.0f;
  }
  store_quad(y + first, aligned, count, hot);
}

}  // namespace

void launch_check_indices(const CheckIndicesArgs& args, Stream stream) {
  if (args.n == 0) return;
  const int64_t blocks = blocks_for(args.n, kPerCheckBlock);
  launch(check_kernel, static_cast<unsigned>(blocks), kCheckThreads, 0, stream, args);
  if (blocks > 1) launch(finish_check_kernel, 1, 1, 0, stream, args);
}

void launch_gather(const GatherArgs& args, Stream stream) {
  if (args.inner == 0) return;
  if (args.inner % kQuad == 0 && is_aligned(args.x) && is_aligned(args.y))
    gather<Quad<uint32_t>>(args, args.inner / kQuad, stream);
  else
    gather<uint32_t>(args, args.inner, stream);
}

void launch_one_hot(const OneHotArgs& args, Stream stream) {
  for_row_pieces(args.n, args.depth, [&](int64_t row, int64_t rows, int64_t column, int64_t columns) {
    float* const y = args.y + row * args.depth + column;
    const int64_t n = rows * columns;
    launch(one_hot_kernel, static_cast<unsigned>(blocks_for(n, kBlockThreads * kQuad)), kBlockThreads, 0, stream,
           args.labels + row, y, static_cast<uint32_t>(n), FastDivide(static_cast<uint32_t>(columns)), column,
           is_aligned(y));
  });
}

}  // namespace downhill::cuda
