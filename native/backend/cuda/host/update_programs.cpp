#include "backend/cuda/host/update_programs.h"

#include <algorithm>

namespace downhill::cuda {

CudaUpdatePrograms::CudaUpdatePrograms(CudaDevice& device, const UpdateGraphs& graphs)
    : memory_(device.memory()), graphs_(graphs), at_(graphs.plans.size()), scalars_(graphs.scalars.size()) {
  size_t bytes = 0;
  for (const Plan& plan : graphs.plans) {
    programs_.push_back(std::make_unique<CudaProgram>(device, plan, Precision::float32));
    bytes = std::max(bytes, programs_.back()->workspace_bytes());
  }
  workspace_ = std::make_unique<Buffer>(bytes, memory_);
}

bool CudaUpdatePrograms::bind() {
  std::byte* const workspace = workspace_->overwrite(memory_);
  for (size_t i = 0; i < programs_.size(); ++i) programs_[i]->bind(Bindings{}, workspace, at_[i]);
  bool moved = at_ != before_;
  for (size_t i = 0; i < scalars_.size(); ++i) {
    auto* const now = reinterpret_cast<float*>(graphs_.scalars[i].at.front().write(memory_));
    moved = moved || now != scalars_[i];
    scalars_[i] = now;
  }
  if (moved) before_ = at_;
  return moved;
}

void CudaUpdatePrograms::add(std::vector<DhCommand>& commands, const UpdateTable& table, StepState* state) {
  for (size_t i = 0; i < scalars_.size(); ++i) {
    UpdateScalarsArgs args{};
    args.table = table;
    args.to = scalars_[i];
    args.group = graphs_.scalars[i].group;
    args.count = static_cast<int32_t>(graphs_.scalars[i].at.size());
    args.stride = static_cast<int32_t>(kAlignment / sizeof(float));
    commands.push_back(command(args));
  }
  for (size_t i = 0; i < programs_.size(); ++i) {
    programs_[i]->lower_steps(at_[i], workspace_->write(memory_), state, commands);
    programs_[i]->lower_writes(at_[i], state, commands);
  }
}

}  // namespace downhill::cuda
