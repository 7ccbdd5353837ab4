// What an update measures before its pass: whether gradients are finite, norms of variables and of units.
#include <cmath>

#include "backend/cuda/device/vector.cuh"
#include "backend/cuda/device/warp.cuh"
#include "backend/cuda/kernels/update_span.cuh"
#include "backend/cuda/kernels/update_sums.cuh"
#include "core/math.h"
#include "optim/update_element.h"

namespace downhill::cuda {

namespace {

namespace rules = downhill::DH_ISA;

constexpr int kThreads = 256;

// Finite gradients --------------------------------------------------------------------------------------------------

__global__ void __launch_bounds__(kThreads) find_bad(FindNonFiniteArgs args) {
  const UpdateTable& table = args.table;
  if (table.state->stopped || !table.heads[table.state->row].apply) return;
  __shared__ uint32_t found[kThreads / kWarpSize];
  const UpdateChunk chunk = table.chunks[blockIdx.x];
  const DeviceSpan& span = table.spans[chunk.span];
  const Piece piece = piece_of(span, chunk.index, kUpdateChunk);
  const float* const g = span.gradient + piece.begin;
  const float* const a = span.accumulator ? span.accumulator + piece.begin : nullptr;
  const bool aligned = is_aligned(g) && is_aligned(a);
  uint32_t bad = 0;
  for (int i = static_cast<int>(threadIdx.x) * kQuad; i < piece.count; i += kThreads * kQuad) {
    const int some = piece.count - i < kQuad ? piece.count - i : kQuad;
    float x[kQuad] = {}, y[kQuad] = {};
    load_quad(g + i, aligned, some, x);
    if (a) load_quad(a + i, aligned, some, y);
    for (int k = 0; k < kQuad; ++k) {
      const float value = a ? x[k] + y[k] : x[k];
      bad |= static_cast<uint32_t>(!(rules::math::abs(value) < rules::math::kInf));
    }
  }
  bad = warp_reduce(bad, [](uint32_t p, uint32_t q) { return p | q; });
  if (lane_id() == 0) found[warp_id()] = bad;
  __syncthreads();
  if (threadIdx.x > 0) return;
  for (int w = 1; w < kThreads / kWarpSize; ++w) bad |= found[w];
  args.bad[blockIdx.x] = bad;
}

__global__ void __launch_bounds__(kWarpSize) decide(DecideUpdateArgs args) {
  const UpdateTable& table = args.table;
  if (table.state->stopped || !table.heads[table.state->row].apply) return;
  uint32_t bad = 0;
  for (int64_t c = threadIdx.x; c < table.chunk_count; c += kWarpSize) bad |= args.bad[c];
  bad = warp_reduce(bad, [](uint32_t p, uint32_t q) { return p | q; });
  if (threadIdx.x > 0) return;
  table.state->skip = bad;
  if (!args.scale) return;
  table.state->gradient_scale = rules::unscaled(table.heads[table.state->row].gradient_scale, *args.scale);
  rules::next_loss_scale(bad == 0, args.growth_steps, *args.scale, *args.finite_steps);
}

// Norms ------------------------------------------------------------------------------------------------------------

constexpr int kNormBuffer = 8192;  // elements

/// Squares are put into shared memory by all threads, and added by sixteen in the order of the CPU.
__global__ void __launch_bounds__(kThreads) sum_squares(GradientNormsArgs args) {
  const UpdateTable& table = args.table;
  if (!updates(table)) return;
  __shared__ float squares[kNormBuffer];
  const UpdateChunk chunk = table.chunks[blockIdx.x];
  const DeviceSpan& span = table.spans[chunk.span];
  const Piece piece = piece_of(span, chunk.index, kUpdateChunk);
  const int thread = static_cast<int>(threadIdx.x);
  const float* const g = span.gradient + piece.begin;
  const float* const a = span.accumulator ? span.accumulator + piece.begin : nullptr;
  const bool g_aligned = is_aligned(g), a_aligned = is_aligned(a);
  const float scale = gradient_scale(table);
  float sum = 0.0f;
  for (int begin = 0; begin < piece.count; begin += kNormBuffer) {
    const int count = piece.count - begin < kNormBuffer ? piece.count - begin : kNormBuffer;
    for (int i = thread * kQuad; i < count; i += kThreads * kQuad) {
      const int some = count - i < kQuad ? count - i : kQuad;
      float x[kQuad] = {}, y[kQuad] = {};
      load_quad(g + begin + i, g_aligned, some, x);
      if (a) load_quad(a + begin + i, a_aligned, some, y);
      for (int k = 0; k < kQuad; ++k) {
        const float value = (a ? x[k] + y[k] : x[k]) * scale;
        x[k] = value * value;
      }
      store_quad(squares + i, true, kQuad, x);
    }
    __syncthreads();
    if (thread < kNormLanes)
      for (int i = thread; i < count; i += kNormLanes) sum += squares[i];
    __syncthreads();
  }
  if (thread >= kWarpSize) return;
  for (int half = kNormLanes / 2; half > 0; half /= 2) sum += shuffle_xor(sum, half);
  if (thread == 0) args.squares[blockIdx.x] = sum;
}

constexpr int kFactorThreads = 512;

/// One block; a warp adds the chunks of a span in their order.
__global__ void __launch_bounds__(kFactorThreads) find_factors(ClipFactorsArgs args) {
  const UpdateTable& table = args.table;
  if (!updates(table)) return;
  double *const own = args.scratch, *const terms = args.scratch + table.span_count;
  for (int s = warp_id(); s < table.span_count; s += kFactorThreads / kWarpSize) {
    const DeviceSpan& span = table.spans[s];
    const double sum = sum_of_chunks(span, args.squares, 1, 0);
    const double factor = rules::clip_factor(sqrt(sum), group_of(table, span).clip_norm);
    if (lane_id() > 0) continue;
    own[s] = factor;
    terms[s] = factor * factor * sum;
  }
  __syncthreads();
  __shared__ double global;
  if (threadIdx.x == 0) {
    double total = 0;
    for (int s = 0; s < table.span_count; ++s) total += terms[s];
    global = rules::clip_factor(sqrt(total), table.heads[table.state->row].global_clip_norm);
  }
  __syncthreads();
  for (int s = static_cast<int>(threadIdx.x); s < table.span_count; s += kFactorThreads) {
    args.factors[s] = static_cast<float>(own[s] * global);
  }
}

// Units ------------------------------------------------------------------------------------------------------------

constexpr int kUnitThreads = static_cast<int>(kUnitColumns);

/// A block per tile, a thread per column.
__global__ void __launch_bounds__(kUnitThreads) sum_unit_squares(UnitSquaresArgs args) {
  const UpdateTable& table = args.table;
  if (!updates(table)) return;
  const UnitTile tile = args.tiles[blockIdx.x];
  const DeviceSpan& span = table.spans[tile.span];
  const int64_t column = tile.column + threadIdx.x;
  if (column >= span.columns) return;
  const float scale = gradient_scale(table);
  const int64_t left = span.size / span.columns - tile.row, rows = left < kUnitRows ? left : kUnitRows;
  double g_sum = 0, p_sum = 0;
  for (int64_t r = 0; r < rows; ++r) {
    const int64_t i = (tile.row + r) * span.columns + column;
    const double g = (span.accumulator ? span.gradient[i] + span.accumulator[i] : span.gradient[i]) * scale;
    const double p = span.parameter[i];
    g_sum += g * g;
    p_sum += p * p;
  }
  args.gradients[tile.at + threadIdx.x] = g_sum;
  args.parameters[tile.at + threadIdx.x] = p_sum;
}

/// The blocks of the tiles of a first row add those below.
__global__ void __launch_bounds__(kUnitThreads) find_unit_factors(UnitFactorsArgs args) {
  const UpdateTable& table = args.squares.table;
  if (!updates(table)) return;
  const UnitTile tile = args.squares.tiles[blockIdx.x];
  const DeviceSpan& span = table.spans[tile.span];
  const int64_t column = tile.column + threadIdx.x;
  if (tile.row > 0 || column >= span.columns) return;
  const int64_t blocks = (span.size / span.columns + kUnitRows - 1) / kUnitRows;
  double g = 0, p = 0;
  for (int64_t b = 0; b < blocks; ++b) {
    g += args.squares.gradients[tile.at + b * span.columns + threadIdx.x];
    p += args.squares.parameters[tile.at + b * span.columns + threadIdx.x];
  }
  const GroupStep& group = group_of(table, span);
  args.factors[span.first_unit + column] = rules::unit_factor(sqrt(p), sqrt(g), group.unit_clip, group.unit_epsilon);
}

}  // namespace

void launch_find_non_finite(const FindNonFiniteArgs& args, Stream stream) {
  if (args.table.chunk_count == 0) return;
  launch(find_bad, static_cast<unsigned>(args.table.chunk_count), kThreads, 0, stream, args);
}

void launch_decide_update(const DecideUpdateArgs& args, Stream stream) {
  launch(decide, 1, kWarpSize, 0, stream, args);
}

void launch_gradient_norms(const GradientNormsArgs& args, Stream stream) {
  if (args.table.chunk_count == 0) return;
  launch(sum_squares, static_cast<unsigned>(args.table.chunk_count), kThreads, 0, stream, args);
}

void launch_clip_factors(const ClipFactorsArgs& args, Stream stream) {
  if (args.table.span_count > 0) launch(find_factors, 1, kFactorThreads, 0, stream, args);
}

void launch_unit_squares(const UnitSquaresArgs& args, Stream stream) {
  if (args.tile_count == 0) return;
  launch(sum_unit_squares, static_cast<unsigned>(args.tile_count), kUnitThreads, 0, stream, args);
}

void launch_unit_factors(const UnitFactorsArgs& args, Stream stream) {
  if (args.squares.tile_count == 0) return;
  launch(find_unit_factors, static_cast<unsigned>(args.squares.tile_count), kUnitThreads, 0, stream, args);
}

}  // namespace downhill::cuda
