// The update of all variables in one pass, and the norms that come before it.
#include "backend/cuda/commands/update.h"

#include <cmath>
#include <cstring>

#include "backend/cuda/device/vector.cuh"
#include "backend/cuda/device/warp.cuh"
#include "optim/rules.h"
#include "optim/update_element.h"
#include "optim/update_scalars.h"

namespace downhill::cuda {

namespace {

namespace rules = downhill::DH_ISA;

constexpr int kThreads = 256;

struct Piece {
  int64_t begin;
  int count;  // 0: nothing
};

/// Part `index` of a span cut into parts of that size.
__device__ Piece piece_of(const DeviceSpan& span, int64_t index, int64_t size) {
  const int64_t begin = index * size, left = span.size - begin;
  return {begin, static_cast<int>(left <= 0 ? 0 : left < size ? left : size)};
}

// Norms ------------------------------------------------------------------------------------------------------------

constexpr int kNormLanes = 16;     // of the sum, as on the CPU
constexpr int kNormBuffer = 8192;  // elements

/// Squares are put into shared memory by all threads, and added by sixteen in the order of the CPU.
__global__ void __launch_bounds__(kThreads) sum_squares(GradientNormsArgs args) {
  const UpdateTable& table = args.table;
  if (table.state->stopped || !table.heads[table.state->index].apply) return;
  __shared__ float squares[kNormBuffer];
  const UpdateChunk chunk = table.chunks[blockIdx.x];
  const DeviceSpan& span = table.spans[chunk.span];
  const Piece piece = piece_of(span, chunk.index, kUpdateChunk);
  const int thread = static_cast<int>(threadIdx.x);
  const float* const g = span.gradient + piece.begin;
  const float* const a = span.accumulator ? span.accumulator + piece.begin : nullptr;
  const bool g_aligned = is_aligned(g), a_aligned = is_aligned(a);
  float sum = 0.0f;
  for (int begin = 0; begin < piece.count; begin += kNormBuffer) {
    const int count = piece.count - begin < kNormBuffer ? piece.count - begin : kNormBuffer;
    for (int i = thread * kQuad; i < count; i += kThreads * kQuad) {
      const int some = count - i < kQuad ? count - i : kQuad;
      float x[kQuad] = {}, y[kQuad] = {};
      load_quad(g + begin + i, g_aligned, some, x);
      if (a) load_quad(a + begin + i, a_aligned, some, y);
      for (int k = 0; k < kQuad; ++k) {
        const float value = a ? x[k] + y[k] : x[k];
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

/// limit / max(norm, limit); 1 without a limit or when the norm is NaN.
__device__ double clip_factor(double norm, double limit) { return limit > 0 && norm > limit ? limit / norm : 1; }

constexpr int kFactorThreads = 512;

/// One block; a warp adds the chunks of a span in their order.
__global__ void __launch_bounds__(kFactorThreads) find_factors(ClipFactorsArgs args) {
  const UpdateTable& table = args.table;
  const int64_t step = table.state->index;
  const StepHead& head = table.heads[step];
  if (table.state->stopped || !head.apply) return;
  const GroupStep* const groups = table.groups + step * table.group_count;
  double *const own = args.scratch, *const terms = args.scratch + table.span_count;
  const double scale = head.gradient_scale;
  for (int s = warp_id(); s < table.span_count; s += kFactorThreads / kWarpSize) {
    const DeviceSpan& span = table.spans[s];
    const int64_t chunks = (span.size + kUpdateChunk - 1) / kUpdateChunk;
    double sum = 0;
    for (int64_t begin = 0; begin < chunks; begin += kWarpSize) {
      const int64_t c = begin + lane_id();
      const float mine = c < chunks ? args.squares[span.first_chunk + c] : 0.0f;
      for (int lane = 0; lane < kWarpSize; ++lane) {
        const float next = broadcast(mine, lane);
        if (begin + lane < chunks) sum += next;
      }
    }
    const double squares = scale * scale * sum, factor = clip_factor(sqrt(squares), groups[span.group].clip_norm);
    if (lane_id() > 0) continue;
    own[s] = factor;
    terms[s] = factor * factor * squares;
  }
  __syncthreads();
  __shared__ double global;
  if (threadIdx.x == 0) {
    double total = 0;
    for (int s = 0; s < table.span_count; ++s) total += terms[s];
    global = clip_factor(sqrt(total), head.global_clip_norm);
  }
  __syncthreads();
  for (int s = static_cast<int>(threadIdx.x); s < table.span_count; s += kFactorThreads) {
    const double factor = own[s] * global;
    args.factors[s] = static_cast<float>(factor * scale);
  }
}

// Update -----------------------------------------------------------------------------------------------------------

constexpr int64_t kPiece = 4096;  // elements of a block
constexpr int kPieces = static_cast<int>(kUpdateChunk / kPiece);
static_assert(kUpdateChunk % kPiece == 0 && kPiece % kQuad == 0, "pieces make up chunks and stay aligned");

/// Accumulator ← gradient, or accumulator + gradient.
__device__ void accumulate(const DeviceSpan& span, const Piece& piece, bool first) {
  const float* const g = span.gradient + piece.begin;
  float* const a = span.accumulator + piece.begin;
  const bool aligned = is_aligned(g) && is_aligned(a);
  for (int i = static_cast<int>(threadIdx.x) * kQuad; i < piece.count; i += kThreads * kQuad) {
    const int some = piece.count - i < kQuad ? piece.count - i : kQuad;
    float x[kQuad] = {}, y[kQuad] = {};
    load_quad(g + i, aligned, some, x);
    if (!first) {
      load_quad(a + i, aligned, some, y);
      for (int k = 0; k < kQuad; ++k) x[k] = y[k] + x[k];
    }
    store_quad(a + i, aligned, some, x);
  }
}

template <typename Functor>
__global__ void __launch_bounds__(kThreads) update_spans(UpdateArgs args) {
  constexpr int kSlots = Functor::kSlots, kRows = kSlots > 0 ? kSlots : 1;
  const UpdateTable& table = args.table;
  if (table.state->stopped) return;
  const int64_t step = table.state->index;
  const StepHead head = table.heads[step];
  const UpdateChunk chunk = table.chunks[blockIdx.x / kPieces];
  const DeviceSpan& span = table.spans[chunk.span];
  if (span.rule != args.rule) return;
  const Piece piece = piece_of(span, int64_t{chunk.index} * kPieces + blockIdx.x % kPieces, kPiece);
  if (piece.count == 0) return;
  if (!head.apply) return accumulate(span, piece, head.first != 0);

  const GroupStep& group = table.groups[step * table.group_count + span.group];
  Functor rule;
  memcpy(&rule, group.rule.bytes, sizeof rule);
  const rules::ElementStep element{args.factors ? args.factors[chunk.span] : head.gradient_scale,
                                   rules::limit_of(group.clip_value), group.l2, group.decay};
  float* const p = span.parameter + piece.begin;
  const float* const g = span.gradient + piece.begin;
  const float* const a = span.accumulator ? span.accumulator + piece.begin : nullptr;
  float* const e = head.average && span.average ? span.average + piece.begin : nullptr;
  float* slots[kRows];
  bool aligned = is_aligned(p) && is_aligned(g) && is_aligned(a) && is_aligned(e);
  for (int s = 0; s < kSlots; ++s) {
    slots[s] = span.slots[s] + piece.begin;
    aligned = aligned && is_aligned(slots[s]);
  }

  for (int i = static_cast<int>(threadIdx.x) * kQuad; i < piece.count; i += kThreads * kQuad) {
    const int some = piece.count - i < kQuad ? piece.count - i : kQuad;
    float x[kQuad] = {}, w[kQuad] = {}, y[kQuad] = {}, mean[kQuad] = {}, rows[kRows][kQuad] = {};
    load_quad(g + i, aligned, some, x);
    load_quad(p + i, aligned, some, w);
    DH_UNROLL
    for (int s = 0; s < kSlots; ++s) load_quad(slots[s] + i, aligned, some, rows[s]);
    if (a) load_quad(a + i, aligned, some, y);
    if (e) load_quad(e + i, aligned, some, mean);
    DH_UNROLL
    for (int k = 0; k < kQuad; ++k) {
      float slot[kRows];
      for (int s = 0; s < kSlots; ++s) slot[s] = rows[s][k];
      w[k] = rules::update_element(rule, element, a ? x[k] + y[k] : x[k], w[k], slot);
      for (int s = 0; s < kSlots; ++s) rows[s][k] = slot[s];
      mean[k] = rules::moving_average(head.keep, head.take, mean[k], w[k]);
      if (e && head.overwrite) w[k] = mean[k];
    }
    store_quad(p + i, aligned, some, w);
    DH_UNROLL
    for (int s = 0; s < kSlots; ++s) store_quad(slots[s] + i, aligned, some, rows[s]);
    if (e) store_quad(e + i, aligned, some, mean);
  }
}

__global__ void __launch_bounds__(kWarpSize) write_scalars(UpdateScalarsArgs args) {
  const UpdateTable& table = args.table;
  if (table.state->stopped) return;
  const int64_t step = table.state->index;
  const GroupStep* const groups = table.groups + step * table.group_count;
  for (int i = static_cast<int>(threadIdx.x); i < args.count; i += kWarpSize)
    args.to[i * args.stride] = rules::scalar_of_step(table.heads[step], groups, args.group, i);
}

}  // namespace

void launch_gradient_norms(const GradientNormsArgs& args, Stream stream) {
  if (args.table.chunk_count == 0) return;
  launch(sum_squares, static_cast<unsigned>(args.table.chunk_count), kThreads, 0, stream, args);
}

void launch_clip_factors(const ClipFactorsArgs& args, Stream stream) {
  if (args.table.span_count > 0) launch(find_factors, 1, kFactorThreads, 0, stream, args);
}

void launch_update(const UpdateArgs& args, Stream stream) {
  if (args.table.chunk_count == 0) return;
  const auto blocks = static_cast<unsigned>(args.table.chunk_count * kPieces);
  switch (args.rule) {
#define RULE(name, functor) \
  case Rule::name:          \
    return launch(update_spans<rules::functor>, blocks, kThreads, 0, stream, args);
#include "optim/rules.def"
    case Rule::count_:
      break;
  }
}

void launch_update_scalars(const UpdateScalarsArgs& args, Stream stream) {
  launch(write_scalars, 1, kWarpSize, 0, stream, args);
}

}  // namespace downhill::cuda
