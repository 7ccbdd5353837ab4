// What surrounds a program in a training step.
#include "backend/cuda/commands/step.h"

#include "backend/cuda/kernels/grid.cuh"
#include "core/math.h"

namespace downhill::cuda {

namespace {

constexpr int kThreads = 256;
constexpr int kFew = 32;  // elements of a log that one warp writes

/// kCount elements that are loaded at once where they are aligned to kPackAlignment.
template <typename T, int kCount>
constexpr int kPackAlignment = sizeof(T) * kCount < 16 ? sizeof(T) * kCount : 16;
template <typename T, int kCount>
struct alignas(kPackAlignment<T, kCount>) Pack {
  T v[kCount];
};

template <typename From, typename To, int kCount>
__global__ void __launch_bounds__(kThreads) load_rows(LoadBatchArgs args) {
  if (args.state->stopped) return;
  const int64_t packs = args.width / kCount, position = args.state->position;  // packs of a row
  for (int64_t i = int64_t{blockIdx.x} * kThreads + threadIdx.x; i < args.rows * packs;
       i += int64_t{gridDim.x} * kThreads) {
    const Division place = divide(i, packs);
    const int64_t at = position + place.quotient, row = args.begin + (args.order ? int64_t{args.order[at]} : at);
    const auto from = static_cast<const Pack<From, kCount>*>(args.column)[row * packs + place.remainder];
    Pack<To, kCount> to;
    for (int k = 0; k < kCount; ++k) to.v[k] = convert<To>(from.v[k]);
    static_cast<Pack<To, kCount>*>(args.to)[i] = to;
  }
}

template <typename T, int kCount>
bool is_packed(const void* p) {
  return reinterpret_cast<uintptr_t>(p) % kPackAlignment<T, kCount> == 0;
}

template <typename From, typename To>
void launch_load(const LoadBatchArgs& args, Stream stream) {
  const bool quads = args.width % 4 == 0 && is_packed<From, 4>(args.column) && is_packed<To, 4>(args.to);
  const unsigned blocks = grid_for(args.rows * args.width / (quads ? 4 : 1), kThreads);
  launch(quads ? load_rows<From, To, 4> : load_rows<From, To, 1>, blocks, kThreads, 0, stream, args);
}

template <typename From>
void launch_load_from(const LoadBatchArgs& args, Stream stream) {
  if (args.dtype == DType::float32)
    launch_load<From, float>(args, stream);
  else
    launch_load<From, int32_t>(args, stream);
}

__global__ void __launch_bounds__(kThreads) write_log(LogArgs args) {
  StepState& state = *args.state;
  const int end = args.begin[args.count];
  const bool stopped = state.stopped != 0;
  float* const row = args.log + state.index * args.length;
  int j = 0;
  for (int i = args.begin[0] + static_cast<int>(threadIdx.x); i < end && !stopped; i += static_cast<int>(blockDim.x)) {
    while (i >= args.begin[j + 1]) ++j;
    row[i] = args.from[j][i - args.begin[j]];
  }
  __syncthreads();
  if (threadIdx.x > 0 || stopped || !args.stop_non_finite) return;
  const float value = *args.from[0];
  if (downhill::DH_ISA::math::abs(value) < downhill::DH_ISA::math::kInf) return;
  state.loss = value;
  state.stopped = static_cast<uint32_t>(Stop::non_finite);
}

__global__ void __launch_bounds__(1) to_next_step(AdvanceArgs args) {
  StepState& state = *args.state;
  if (state.stopped) return;
  state.index += 1;
  state.counter += 1;
  state.position += args.rows;
  state.row += state.skip ? 1 - args.window : 1;
  state.skipped += state.skip;
  state.skip = 0;
}

}  // namespace

void launch_load_batch(const LoadBatchArgs& args, Stream stream) {
  if (args.rows * args.width == 0) return;
  switch (args.element) {
    case Element::float32:
      return launch_load_from<float>(args, stream);
    case Element::float64:
      return launch_load_from<double>(args, stream);
    case Element::uint8:
      return launch_load_from<uint8_t>(args, stream);
    case Element::int32:
      return launch_load_from<int32_t>(args, stream);
  }
}

void launch_log(const LogArgs& args, Stream stream) {
  if (args.count == 0) return;
  launch(write_log, 1, args.begin[args.count] - args.begin[0] > kFew ? kThreads : kFew, 0, stream, args);
}

void launch_advance(const AdvanceArgs& args, Stream stream) { launch(to_next_step, 1, 1, 0, stream, args); }

}  // namespace downhill::cuda
