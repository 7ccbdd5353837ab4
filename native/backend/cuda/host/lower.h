// From a step of a plan to commands. One function per family, host/lower/<family>.cpp; shapes and strides are worked
// out here, so that kernels only run loops.
#pragma once
#include <cstddef>
#include <vector>

#include "backend/cuda/commands.h"
#include "backend/device.h"
#include "plan/plan.h"

namespace downhill::cuda {

/// Of the device that a plan is lowered for.
struct Target {
  int compute_capability = 80;  // 10 · major + minor
  int multiprocessors = 1;
  bool emulated = false;
};

class Lowering {
 public:
  const Plan& plan;
  const Step& step;
  const int id;              // of the step in the plan: StepState::command
  void* const* const at;     // device addresses by value; all null while only sizes are asked for
  std::byte* const scratch;  // device memory of this step, aligned to 256; null then too
  StepState* const state;    // device memory
  const Target& target;
  const Precision precision;

  // ---- results ----
  std::vector<DhCommand>& commands;
  size_t scratch_bytes = 0;  // needed, whatever `scratch` is

  const Value& in(int i) const { return plan.values[static_cast<size_t>(step.inputs[static_cast<size_t>(i)])]; }
  const Value& out() const { return plan.values[static_cast<size_t>(step.output)]; }
  const void* input(int i) const { return at[step.inputs[static_cast<size_t>(i)]]; }
  void* output() const { return at[step.output]; }
  int axis() const { return static_cast<int>(step.attrs.integer("axis")); }

  /// Scratch of that many bytes, aligned to 256; null while only sizes are asked for.
  void* take_scratch(size_t bytes) {
    void* const taken = scratch ? scratch + scratch_bytes : nullptr;
    scratch_bytes += (bytes + 255) / 256 * 256;
    return taken;
  }
  template <typename Args>
  void add(const Args& args) {
    commands.push_back(command(args));
  }
};

// host/lower/*.cpp
void lower_elementwise(Lowering& lowering);
void lower_copy(Lowering& lowering);  // identity stopGradient reshape transpose broadcastTo slice concat pad
void lower_cast(Lowering& lowering);
void lower_noise(Lowering& lowering);
void lower_gather(Lowering& lowering);
void lower_scatter_add(Lowering& lowering);
void lower_one_hot(Lowering& lowering);
void lower_conv(Lowering& lowering);  // conv2d conv2dTranspose conv2dFilterGrad
void lower_pool(Lowering& lowering);
void lower_sparse(Lowering& lowering);  // sparseMatmul sparseMatmulGrad sparseDropout
void lower_reduce(Lowering& lowering);  // sum max min
void lower_argmax(Lowering& lowering);
void lower_attention(Lowering& lowering);
void lower_normalization(Lowering& lowering);  // layerNormalization rmsNormalization and their gradients
void lower_recurrent(Lowering& lowering);      // simpleRNN lstm gru and their gradients
void lower_rows(Lowering& lowering);
void lower_matmul(Lowering& lowering);

/// Copies plain bytes, unless the step was stopped (null state: always). For state writes; host/lower/movement.cpp.
DhCommand copy_unless_stopped(void* to, const void* from, size_t bytes, const StepState* state);

/// Which of them lowers an op (host/lower.cpp).
void lower(Lowering& lowering);

}  // namespace downhill::cuda
