// Moving, filling and converting elements.
#include "ops/movement.h"
#include "backend/cuda/commands.h"
#include "backend/cuda/device/elementwise.cuh"

namespace downhill::cuda {

namespace {

constexpr int64_t kPerBlock = kBlockThreads * kQuad;  // elements

/// Whether what outlasts the step is left alone.
__device__ bool stopped(const StepState* state) { return state && (state->stopped || state->skip); }

/// V: one element, or a quad that is one step of the nest.
template <typename V>
__global__ void __launch_bounds__(kBlockThreads)
    copy_kernel(const V* from, V* to, uint32_t n, Offsets<2> offsets, const StepState* unless_stopped) {
  if (stopped(unless_stopped)) return;
  constexpr uint32_t kSteps = kPerBlock * sizeof(uint32_t) / sizeof(V) / kBlockThreads;
  for (uint32_t i = 0; i < kSteps; ++i) {
    const uint32_t position = (blockIdx.x * kSteps + i) * kBlockThreads + threadIdx.x;
    if (position >= n) return;
    uint32_t offset[2];
    offsets.at(position, offset);
    to[offset[0]] = from[offset[1]];
  }
}

constexpr int kTile = 32;

/// One matrix of a batch: to[r · to_row + c] = from[c · from_column + r] for r < rows, c < columns.
struct Transposition {
  uint32_t rows, columns, to_row, from_column;
  FastDivide row_tiles, column_tiles;
  Offsets<2> batch;
};

/// A tile of 32 x 32 goes through shared memory, so that reads and writes both run along lines.
__global__ void __launch_bounds__(kBlockThreads)
    transpose_kernel(const uint32_t* from, uint32_t* to, Transposition args, const StepState* unless_stopped) {
  __shared__ uint32_t tile[kTile][kTile + 1];
  if (stopped(unless_stopped)) return;
  const uint32_t line = args.column_tiles(blockIdx.x), matrix = args.row_tiles(line);
  const uint32_t column = (blockIdx.x - line * args.column_tiles.divisor()) * kTile;
  const uint32_t row = (line - matrix * args.row_tiles.divisor()) * kTile;
  const uint32_t x = threadIdx.x % kTile, y = threadIdx.x / kTile;
  uint32_t offset[2];
  args.batch.at(matrix, offset);
  for (uint32_t i = y; i < kTile; i += kBlockThreads / kTile)
    if (column + i < args.columns && row + x < args.rows)
      tile[i][x] = from[offset[1] + (column + i) * args.from_column + row + x];
  __syncthreads();
  for (uint32_t i = y; i < kTile; i += kBlockThreads / kTile)
    if (row + i < args.rows && column + x < args.columns)
      to[offset[0] + (row + i) * args.to_row + column + x] = tile[x][i];
}

/// The dimension that the source walks side by side while the target walks the innermost; -1: not a transposition, or
/// one too thin to be worth tiles.
int transposed_axis(const Nest& nest) {
  const int last = nest.rank - 1;
  if (nest.stride[0][last] != 1 || nest.stride[1][last] <= 1 || nest.dims[last] < 8) return -1;
  for (int i = 0; i < last; ++i)
    if (nest.stride[1][i] == 1 && nest.dims[i] >= 8) return i;
  return -1;
}

void launch_transpose(const uint32_t* from, uint32_t* to, Nest nest, int axis, const StepState* state, Stream stream) {
  const int last = nest.rank - 1;
  Transposition args;
  args.rows = static_cast<uint32_t>(nest.dims[axis]);
  args.columns = static_cast<uint32_t>(nest.dims[last]);
  args.to_row = static_cast<uint32_t>(nest.stride[0][axis]);
  args.from_column = static_cast<uint32_t>(nest.stride[1][last]);
  args.row_tiles = FastDivide((args.rows + kTile - 1) / kTile);
  args.column_tiles = FastDivide((args.columns + kTile - 1) / kTile);
  nest.dims[axis] = 1;
  args.batch = Offsets<2>(nest, 0, 1);
  const int64_t matrices = nest.size() / args.columns;
  launch(transpose_kernel, static_cast<unsigned>(matrices * args.row_tiles.divisor() * args.column_tiles.divisor()),
         kBlockThreads, 0, stream, from, to, args, state);
}

/// The same nest in steps of four elements; false: a row does not consist of quads that lie side by side.
bool in_quads(Nest& nest, const void* to, const void* from) {
  const int last = nest.rank - 1;
  if (!is_aligned(to) || !is_aligned(from) || nest.dims[last] % kQuad != 0) return false;
  for (int k = 0; k < 2; ++k)
    for (int i = 0; i <= last; ++i)
      if (i == last ? nest.stride[k][i] != 1 : nest.dims[i] > 1 && nest.stride[k][i] % kQuad != 0) return false;
  nest.dims[last] /= kQuad;
  for (int k = 0; k < 2; ++k)
    for (int i = 0; i < last; ++i) nest.stride[k][i] /= kQuad;
  return true;
}

template <typename V>
void launch_steps(const void* from, void* to, const Nest& nest, const StepState* state, Stream stream) {
  const int64_t steps = nest.size(), per_block = kPerBlock * sizeof(uint32_t) / sizeof(V);
  launch(copy_kernel<V>, static_cast<unsigned>(blocks_for(steps, per_block)), kBlockThreads, 0, stream,
         static_cast<const V*>(from), static_cast<V*>(to), static_cast<uint32_t>(steps), Offsets<2>(nest), state);
}

void copy_piece(const uint32_t* from, uint32_t* to, Nest nest, const StepState* state, Stream stream) {
  const int axis = transposed_axis(nest);
  if (axis >= 0) return launch_transpose(from, to, nest, axis, state, stream);
  // All but the last few elements of an array go in quads.
  const bool line = nest.rank == 1 && nest.stride[0][0] == 1 && nest.stride[1][0] == 1;
  const int64_t rest = line && nest.dims[0] > kPerBlock ? nest.dims[0] % kQuad : 0;
  if (rest > 0) {
    Nest tail = nest;
    tail.dims[0] = rest;
    nest.dims[0] -= rest;
    launch_steps<uint32_t>(from + nest.dims[0], to + nest.dims[0], tail, state, stream);
  }
  if (in_quads(nest, to, from))
    launch_steps<Quad<uint32_t>>(from, to, nest, state, stream);
  else
    launch_steps<uint32_t>(from, to, nest, state, stream);
}

__global__ void __launch_bounds__(kBlockThreads) fill_kernel(uint32_t* to, int64_t n, uint32_t value, bool aligned) {
  const int64_t first = (int64_t{blockIdx.x} * kBlockThreads + threadIdx.x) * kQuad;
  if (first >= n) return;
  const uint32_t x[kQuad] = {value, value, value, value};
  store_quad(to + first, aligned, n - first < kQuad ? static_cast<int>(n - first) : kQuad, x);
}

/// Two operands of n elements side by side.
Nest line(int64_t n) {
  Nest nest;
  nest.rank = 1;
  nest.operands = 2;
  nest.dims[0] = n;
  nest.stride[0][0] = nest.stride[1][0] = 1;
  return nest;
}

}  // namespace

void launch_copy(const CopyArgs& args, Stream stream) {
  for_narrow(args.nest, [&](const Nest& piece, const PieceOffsets& begin) {
    copy_piece(static_cast<const uint32_t*>(args.from) + begin.of[1], static_cast<uint32_t*>(args.to) + begin.of[0],
               piece, args.unless_stopped, stream);
  });
}

void launch_fill(const FillArgs& args, Stream stream) {
  if (args.n == 0) return;
  launch(fill_kernel, static_cast<unsigned>(blocks_for(args.n, kPerBlock)), kBlockThreads, 0, stream,
         static_cast<uint32_t*>(args.to), args.n, args.value, is_aligned(args.to));
}

void launch_cast(const CastArgs& args, Stream stream) {
  void* const at[] = {args.to, const_cast<void*>(args.from)};
  if (args.dtype == DType::int32)
    launch_elements<1, float, int32_t>(downhill::DH_ISA::ToInt32{}, line(args.n), at, stream);
  else
    launch_elements<1, int32_t, float>(downhill::DH_ISA::ToFloat32{}, line(args.n), at, stream);
}

}  // namespace downhill::cuda
