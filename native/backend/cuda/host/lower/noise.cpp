// Dropout and its relatives.
#include "backend/cuda/host/lower.h"

namespace downhill::cuda {

void lower_noise(Lowering& lowering) {
  const Op op = lowering.step.op;
  lowering.add(NoiseArgs{op, static_cast<const float*>(lowering.input(0)), static_cast<float*>(lowering.output()),
                         lowering.out().shape.size(), noise_params(op, lowering.step.attrs), lowering.state});
}

}  // namespace downhill::cuda
