// Dropout and its relatives: a thread draws for four elements that lie side by side.
#include "ops/noise.h"
#include "backend/cuda/commands.h"
#include "backend/cuda/device/elementwise.cuh"
#include "core/philox.h"

namespace downhill::cuda {

namespace {

template <typename F>
__global__ void __launch_bounds__(kBlockThreads)
    noise_kernel(const float* x, float* y, int64_t n, F f, uint64_t key, bool aligned, const StepState* state) {
  const int64_t block = int64_t{blockIdx.x} * kBlockThreads + threadIdx.x, first = block * kQuad;
  if (first >= n) return;
  const int count = n - first < kQuad ? static_cast<int>(n - first) : kQuad;
  const downhill::DH_ISA::Philox4 random = downhill::DH_ISA::philox(key, state->counter, static_cast<uint64_t>(block));
  float numbers[kQuad], values[kQuad] = {};
  if constexpr (F::kNormal) {
    for (int j = 0; j < kQuad; j += 2)
      downhill::DH_ISA::normal(random.v[j], random.v[j + 1], numbers[j], numbers[j + 1]);
  } else {
    for (int j = 0; j < kQuad; ++j) numbers[j] = downhill::DH_ISA::uniform(random.v[j]);
  }
  load_quad(x + first, aligned, count, values);
  for (int j = 0; j < kQuad; ++j) values[j] = f(values[j], numbers[j]);
  store_quad(y + first, aligned, count, values);
}

template <typename F>
void run(const NoiseArgs& args, Stream stream) {
  launch(noise_kernel<F>, static_cast<unsigned>(blocks_for(args.n, kBlockThreads * kQuad)), kBlockThreads, 0, stream,
         args.x, args.y, args.n, F(args.params.amount), args.params.key, is_aligned(args.x) && is_aligned(args.y),
         args.state);
}

}  // namespace

void launch_noise(const NoiseArgs& args, Stream stream) {
  if (args.n == 0) return;
  if (args.op == Op::gaussianDropout) return run<downhill::DH_ISA::GaussianDropout>(args, stream);
  if (args.op == Op::gaussianNoise) return run<downhill::DH_ISA::GaussianNoise>(args, stream);
  run<downhill::DH_ISA::Dropout>(args, stream);
}

}  // namespace downhill::cuda
