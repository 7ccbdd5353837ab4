// Attention and its gradient.
#include "backend/attention.h"
#include "backend/cpu/program.h"

namespace downhill::cpu {

std::unique_ptr<Launch> compile_attention(const Build& build) {
  const AttentionStep step(build.plan, build.step);
  const AttentionKernels* const kernels = &build.table.attention;
  return launch(
      [=](const Run& run) {
        const AttentionArgs args{step.at(run.at), run.step, run.scratch};
        (args.backward ? kernels->backward : kernels->forward)(args);
      },
      kernels->scratch_bytes(step.call()));
}

}  // namespace downhill::cpu
