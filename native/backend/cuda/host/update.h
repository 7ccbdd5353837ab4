// The update of a model's variables as commands: one pass over all of them, after norms where clipping asks for them.
#pragma once
#include <memory>
#include <vector>

#include "backend/cuda/host/device.h"
#include "backend/cuda/host/update_programs.h"
#include "optim/updater.h"

namespace downhill::cuda {

class UpdateCommands {
 public:
  /// For launches of at most max_steps steps.
  UpdateCommands(CudaDevice& device, Updater& updater, int max_steps);
  ~UpdateCommands();

  /// Moves variables and slots to the device where they are not there yet. True when commands made before no longer do
  /// what is asked for. The caller holds the buffers' locks, and nothing runs on the device that uses the tables.
  bool bind();
  /// Of steps that make an update; with `applies` false of those that only accumulate, which can be the same.
  void add(std::vector<DhCommand>& commands, StepState* state, bool applies = true);
  /// Whether the two differ.
  bool differs() const { return programs_ && updater_.options().accumulation_steps > 1; }
  /// StepState::row of the next step.
  int64_t first_row() const;
  /// What the next `steps` steps do, rates and all, computed on the host and put in order on the stream.
  void stage(CudaStream& stream, int steps);

 private:
  struct Memory;
  CudaDevice& device_;
  Updater& updater_;
  std::unique_ptr<Memory> memory_;
  std::unique_ptr<CudaUpdatePrograms> programs_;  // null: none
  std::vector<const void*> addresses_;
};

}  // namespace downhill::cuda
