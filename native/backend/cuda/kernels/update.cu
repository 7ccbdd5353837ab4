// The update of all variables in one pass, and what rules with norms measure before it.
#include "backend/cuda/commands/update.h"

#include <cmath>
#include <cstring>

#include "backend/cuda/device/vector.cuh"
#include "backend/cuda/device/warp.cuh"
#include "backend/cuda/kernels/grid.cuh"
#include "backend/cuda/kernels/update_span.cuh"
#include "backend/cuda/kernels/update_sums.cuh"
#include "optim/rules.h"
#include "optim/update_element.h"
#include "optim/update_scalars.h"

namespace downhill::cuda {

namespace {

namespace rules = downhill::DH_ISA;

constexpr int kThreads = 256;

// One piece of a variable
// ----------------------------------------------------------------------------------------------

/// What the rule is applied to: a piece of a variable, and the step's numbers for it.
template <typename Functor>
struct Operands {
  static constexpr int kSlots = Functor::kSlots, kRows = kSlots > 0 ? kSlots : 1;
  Functor rule;
  rules::ElementStep step;
  float* p;
  const float *g, *a;  // a: accumulator; null: none
  float* slots[kRows];
  bool aligned;

  __device__ Operands(const UpdateArgs& args, int span_index, const Piece& piece) {
    const UpdateTable& table = args.table;
    const DeviceSpan& span = table.spans[span_index];
    const GroupStep& group = group_of(table, span);
    memcpy(&rule, group.rule.bytes, sizeof rule);
    step = {gradient_scale(table),
            args.factors ? args.factors[span_index] : 1.0f,
            rules::limit_of(group.clip_value),
            group.l2,
            group.decay,
            1.0f};
    p = span.parameter + piece.begin;
    g = span.gradient + piece.begin;
    a = span.accumulator ? span.accumulator + piece.begin : nullptr;
    aligned = is_aligned(p) && is_aligned(g) && is_aligned(a);
    for (int s = 0; s < kSlots; ++s) {
      slots[s] = span.slots[s] + piece.begin;
      aligned = aligned && is_aligned(slots[s]);
    }
  }

  /// Elements [i, i + some): gradients x, parameters w and slots.
  __device__ void load(const UpdateArgs& args, const DeviceSpan& span, int i, int some, float (&x)[kQuad],
                       float (&w)[kQuad], float (&rows)[kRows][kQuad]) const {
    float y[kQuad] = {};
    load_quad(g + i, aligned, some, x);
    load_quad(p + i, aligned, some, w);
    DH_UNROLL
    for (int s = 0; s < kSlots; ++s) load_quad(slots[s] + i, aligned, some, rows[s]);
    if (a) {
      load_quad(a + i, aligned, some, y);
      for (int k = 0; k < kQuad; ++k) x[k] = x[k] + y[k];
    }
    if (!args.units || span.first_unit < 0) return;
    int64_t column = divide(p - span.parameter + i, span.columns).remainder;
    for (int k = 0; k < some; ++k) {
      x[k] *= args.units[span.first_unit + column];
      if (++column == span.columns) column = 0;
    }
  }
};

// What rules with norms measure
// ----------------------------------------------------------------------------------------

constexpr int kMeasureBuffer = 4096;  // elements
constexpr int kMeasureBlocks = 4;     // of a multiprocessor, by registers

/// As sum_squares of update_norms.cu: both sums at once, by a half of a warp each.
template <typename Functor>
__global__ void __launch_bounds__(kThreads, kMeasureBlocks) measure_spans(MeasureArgs args) {
  const UpdateTable& table = args.update.table;
  if (!updates(table)) return;
  constexpr int kRows = Operands<Functor>::kRows;
  __shared__ float squares[2][kMeasureBuffer];
  const UpdateChunk chunk = table.chunks[blockIdx.x];
  const DeviceSpan& span = table.spans[chunk.span];
  if (span.rule != args.update.rule) return;
  const Piece piece = piece_of(span, chunk.index, kUpdateChunk);
  const Operands<Functor> from(args.update, chunk.span, piece);
  const int thread = static_cast<int>(threadIdx.x);
  float sum = 0.0f;
  for (int begin = 0; begin < piece.count; begin += kMeasureBuffer) {
    const int count = piece.count - begin < kMeasureBuffer ? piece.count - begin : kMeasureBuffer;
    for (int i = thread * kQuad; i < count; i += kThreads * kQuad) {
      const int some = count - i < kQuad ? count - i : kQuad;
      float x[kQuad] = {}, w[kQuad] = {}, rows[kRows][kQuad] = {};
      from.load(args.update, span, begin + i, some, x, w, rows);
      DH_UNROLL
      for (int k = 0; k < kQuad; ++k) {
        float slot[kRows], measured;
        for (int s = 0; s < from.kSlots; ++s) slot[s] = rows[s][k];
        rules::measure_element(from.rule, from.step, x[k], w[k], measured, slot);
        w[k] *= w[k];
        x[k] = measured * measured;
      }
      store_quad(squares[0] + i, true, kQuad, w);
      store_quad(squares[1] + i, true, kQuad, x);
    }
    __syncthreads();
    if (thread < kWarpSize)
      for (int i = thread % kNormLanes; i < count; i += kNormLanes) sum += squares[thread / kNormLanes][i];
    __syncthreads();
  }
  if (thread >= kWarpSize) return;
  for (int half = kNormLanes / 2; half > 0; half /= 2) sum += shuffle_xor(sum, half);
  if (thread % kNormLanes == 0) args.squares[blockIdx.x * 2 + thread / kNormLanes] = sum;
}

constexpr int kTrustThreads = 512;

/// One block, a warp per span.
template <typename Functor>
__global__ void __launch_bounds__(kTrustThreads) find_trust(TrustArgs args) {
  const UpdateTable& table = args.table;
  if (!updates(table)) return;
  for (int s = warp_id(); s < table.span_count; s += kTrustThreads / kWarpSize) {
    const DeviceSpan& span = table.spans[s];
    if (span.rule != args.rule) continue;
    const double p = sum_of_chunks(span, args.squares, 2, 0), other = sum_of_chunks(span, args.squares, 2, 1);
    if (lane_id() > 0) continue;
    Functor rule;
    memcpy(&rule, group_of(table, span).rule.bytes, sizeof rule);
    args.trust[s] = static_cast<float>(rule.trust(sqrt(p), sqrt(other)));
  }
}

template <typename Functor>
void launch_measure_of(const MeasureArgs& args, Stream stream) {
  if constexpr (rules::kUsesNorms<Functor>)
    launch(measure_spans<Functor>, static_cast<unsigned>(args.update.table.chunk_count), kThreads, 0, stream, args);
}

template <typename Functor>
void launch_trust_of(const TrustArgs& args, Stream stream) {
  if constexpr (rules::kUsesNorms<Functor>) launch(find_trust<Functor>, 1, kTrustThreads, 0, stream, args);
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
  constexpr int kSlots = Functor::kSlots, kRows = Operands<Functor>::kRows;
  const UpdateTable& table = args.table;
  if (table.state->stopped || table.state->skip) return;
  const StepHead& head = table.heads[table.state->row];
  const UpdateChunk chunk = table.chunks[blockIdx.x / kPieces];
  const DeviceSpan& span = table.spans[chunk.span];
  if (span.rule != args.rule) return;
  const Piece piece = piece_of(span, int64_t{chunk.index} * kPieces + blockIdx.x % kPieces, kPiece);
  if (piece.count == 0) return;
  if (!head.apply) return accumulate(span, piece, head.first != 0);

  Operands<Functor> at(args, chunk.span, piece);
  if (rules::kUsesNorms<Functor>) at.step.trust = args.trust[chunk.span];
  float* const e = head.average && span.average ? span.average + piece.begin : nullptr;
  const bool aligned = at.aligned && is_aligned(e);
  for (int i = static_cast<int>(threadIdx.x) * kQuad; i < piece.count; i += kThreads * kQuad) {
    const int some = piece.count - i < kQuad ? piece.count - i : kQuad;
    float x[kQuad] = {}, w[kQuad] = {}, rows[kRows][kQuad] = {};
    at.load(args, span, i, some, x, w, rows);
    DH_UNROLL
    for (int k = 0; k < kQuad; ++k) {
      float slot[kRows];
      for (int s = 0; s < kSlots; ++s) slot[s] = rows[s][k];
      w[k] = rules::update_element(at.rule, at.step, x[k], w[k], slot);
      for (int s = 0; s < kSlots; ++s) rows[s][k] = slot[s];
    }
    DH_UNROLL
    for (int s = 0; s < kSlots; ++s) store_quad(at.slots[s] + i, aligned, some, rows[s]);
    if (e) {
      float mean[kQuad] = {};
      load_quad(e + i, aligned, some, mean);
      for (int k = 0; k < kQuad; ++k) mean[k] = rules::moving_average(head.keep, head.take, mean[k], w[k]);
      store_quad(e + i, aligned, some, mean);
      if (head.overwrite) memcpy(w, mean, sizeof w);
    }
    store_quad(at.p + i, aligned, some, w);
  }
}

__global__ void __launch_bounds__(kWarpSize) write_scalars(UpdateScalarsArgs args) {
  const UpdateTable& table = args.table;
  if (table.state->stopped) return;
  const int64_t step = table.state->row;
  const GroupStep* const groups = table.groups + step * table.group_count;
  for (int i = static_cast<int>(threadIdx.x); i < args.count; i += kWarpSize)
    args.to[i * args.stride] = rules::scalar_of_step(table.heads[step], groups, args.group, i);
}

}  // namespace

void launch_measure(const MeasureArgs& args, Stream stream) {
  if (args.update.table.chunk_count == 0) return;
  switch (args.update.rule) {
#define RULE(name, functor) \
  case Rule::name:          \
    return launch_measure_of<rules::functor>(args, stream);
#include "optim/rules.def"
    case Rule::count_:
      break;
  }
}

void launch_trust(const TrustArgs& args, Stream stream) {
  if (args.table.span_count == 0) return;
  switch (args.rule) {
#define RULE(name, functor) \
  case Rule::name:          \
    return launch_trust_of<rules::functor>(args, stream);
#include "optim/rules.def"
    case Rule::count_:
      break;
  }
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
