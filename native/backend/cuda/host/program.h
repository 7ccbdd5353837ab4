// A plan on a CUDA device: commands made from its steps, run one after the other on a stream.
#pragma once
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "backend/cuda/host/device.h"

namespace downhill::cuda {

class CudaProgram final : public Program {
 public:
  CudaProgram(CudaDevice& device, Plan plan, Precision precision);

  Device& device() const override { return device_; }
  Precision precision() const override { return precision_; }
  Precision products() const override { return device_.products(precision_); }
  void run(const Bindings& bindings) override;
  void commit() override;

  size_t workspace_bytes() const override { return scratch_at_ + scratch_bytes_; }

  // ---- for loops of steps, host/loop.cpp ----
  /// Addresses by value. Moves contents to the device where they are not there yet.
  void bind(const Bindings& bindings, std::byte* workspace, std::vector<void*>& at) const;
  /// Appends the commands of all steps; then those of the state writes, which a stopped step does not do.
  void lower_steps(const std::vector<void*>& at, std::byte* workspace, StepState* state,
                   std::vector<DhCommand>& commands) const;
  void lower_writes(const std::vector<void*>& at, const StepState* state, std::vector<DhCommand>& commands) const;
  /// Whether a command can stop the step.
  bool can_stop() const { return can_stop_; }
  /// What a step that stopped reports; none when it did not, or for its loss.
  std::optional<Error> error_of(const StepState& state) const;

 private:
  CudaDevice& device_;
  const Precision precision_;
  const std::vector<bool> written_;  // by value
  size_t scratch_at_ = 0, scratch_bytes_ = 0;
  bool can_stop_ = false;

  // Of run().
  Buffer state_;             // a StepState
  Workspace own_workspace_;  // for callers that bring none
  std::vector<void*> at_, bound_;
  std::vector<DhCommand> commands_, writes_;  // for the addresses at_
};

}  // namespace downhill::cuda
