// The graph programs of an update as commands, after the pass of the rules.
#pragma once
#include <memory>
#include <vector>

#include "backend/cuda/commands/update.h"
#include "backend/cuda/host/program.h"
#include "optim/update_programs.h"

namespace downhill::cuda {

class CudaUpdatePrograms {
 public:
  CudaUpdatePrograms(CudaDevice& device, const UpdateGraphs& graphs);

  /// Moves what the programs use to the device. True when commands made before no longer fit.
  bool bind();
  /// Appends what fills in the scalars of the step, and the programs. A stopped step writes nothing.
  void add(std::vector<DhCommand>& commands, const UpdateTable& table, StepState* state);

 private:
  DeviceMemory* const memory_;
  const UpdateGraphs& graphs_;
  std::vector<std::unique_ptr<CudaProgram>> programs_;
  std::unique_ptr<Buffer> workspace_;            // shared: they run one after the other
  std::vector<std::vector<void*>> at_, before_;  // by program, by value
  std::vector<float*> scalars_;                  // by graphs_.scalars
};

}  // namespace downhill::cuda
