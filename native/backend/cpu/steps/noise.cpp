// Dropout and its relatives.
#include "backend/cpu/program.h"
#include "backend/layout.h"

namespace downhill::cpu {

NoiseFn noise_kernel(const KernelTable& table, Op op) {
  if (op == Op::gaussianDropout) return table.noise.gaussian_dropout;
  return op == Op::gaussianNoise ? table.noise.gaussian_noise : table.noise.dropout;
}

std::unique_ptr<Launch> compile_noise(const Build& build) {
  const int from = build.id(0), to = build.step.output;
  const int64_t n = build.out().shape.size();
  const NoiseParams params = noise_params(build.step.op, build.step.attrs);
  const NoiseFn noise = noise_kernel(build.table, build.step.op);
  return launch([=](const Run& run) {
    const float* x = static_cast<const float*>(run.at[from]);
    float* y = static_cast<float*>(run.at[to]);
    for_pieces(n, kChunk,
               [&](int64_t begin, int64_t end) { noise(x + begin, y + begin, begin, end - begin, params, run.step); });
  });
}

}  // namespace downhill::cpu
