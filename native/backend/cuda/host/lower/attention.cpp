// Attention and its gradient.
#include "backend/attention.h"
#include "backend/cuda/host/lower.h"

namespace downhill::cuda {

void lower_attention(Lowering& lowering) {
  const AttentionStep step(lowering.plan, lowering.step);
  AttentionArgs args{step.at(lowering.at), nullptr, lowering.state};
  const auto queries = static_cast<size_t>(args.n * args.heads * args.queries);
  if (args.backward) args.delta = static_cast<float*>(lowering.take_scratch(queries * sizeof(float)));
  lowering.add(args);
}

}  // namespace downhill::cuda
