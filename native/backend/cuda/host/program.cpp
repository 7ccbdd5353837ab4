#include "backend/cuda/host/program.h"

#include <algorithm>

#include "plan/indices.h"
#include "plan/passes/chains.h"

namespace downhill::cuda {

namespace {

constexpr size_t kScratchAlignment = 256;

size_t aligned(size_t bytes) { return (bytes + kScratchAlignment - 1) / kScratchAlignment * kScratchAlignment; }

}  // namespace

CudaProgram::CudaProgram(CudaDevice& device, Plan plan, Precision precision)
    : Program(without_chains(std::move(plan))),
      device_(device),
      precision_(precision),
      written_(written_values(plan_)),
      scratch_at_(aligned(plan_.arena_bytes)),
      state_(sizeof(StepState), device.memory()) {
  // Lowered once without addresses, to know the sizes of scratch and that every step has a kernel.
  const std::vector<void*> nowhere(plan_.values.size(), nullptr);
  for (size_t i = 0; i < plan_.steps.size(); ++i) {
    Lowering lowering{plan_,   plan_.steps[i],   static_cast<int>(i), nowhere.data(), nullptr,
                      nullptr, device_.target(), precision_,          commands_};
    lower(lowering);
    scratch_bytes_ = std::max(scratch_bytes_, aligned(lowering.scratch_bytes));
  }
  for (const DhCommand& command : commands_)
    can_stop_ = can_stop_ || command.kind == static_cast<uint32_t>(CommandKind::check_indices) ||
                command.kind == static_cast<uint32_t>(CommandKind::check_sparse);
  commands_.clear();
}

void CudaProgram::bind(const Bindings& bindings, std::byte* workspace, std::vector<void*>& at) const {
  DeviceMemory* const memory = device_.memory();
  at.resize(plan_.values.size());
  for (size_t i = 0; i < at.size(); ++i) {
    const Value& value = plan_.values[i];
    const auto index = static_cast<size_t>(value.index);
    switch (value.place) {
      case Place::arena:
        at[i] = workspace + value.offset;
        break;
      case Place::input:
        at[i] = const_cast<void*>(bindings.inputs[index]);  // steps only read it
        break;
      case Place::output:
        at[i] = bindings.outputs[index];
        break;
      case Place::storage:
        if (bindings.rebase_from && value.storage->buffer.get() == bindings.rebase_from)
          at[i] = const_cast<std::byte*>(bindings.rebase_to) + value.storage->offset;
        else if (written_[i])
          at[i] = value.storage->write(memory);
        else
          at[i] = const_cast<std::byte*>(value.storage->read(memory));  // steps only read it
        break;
    }
  }
}

void CudaProgram::lower_steps(const std::vector<void*>& at, std::byte* workspace, StepState* state,
                              std::vector<DhCommand>& commands) const {
  std::byte* const scratch = workspace ? workspace + scratch_at_ : nullptr;
  for (size_t i = 0; i < plan_.steps.size(); ++i) {
    Lowering lowering{plan_, plan_.steps[i],   static_cast<int>(i), at.data(), scratch,
                      state, device_.target(), precision_,          commands};
    lower(lowering);
  }
}

void CudaProgram::lower_writes(const std::vector<void*>& at, const StepState* state,
                               std::vector<DhCommand>& commands) const {
  for (const StateWrite& write : plan_.writes) {
    const auto to = static_cast<size_t>(write.to), from = static_cast<size_t>(write.from);
    if (plan_.values[to].bytes() > 0)
      commands.push_back(copy_unless_stopped(at[to], at[from], plan_.values[to].bytes(), state));
  }
}

void CudaProgram::run(const Bindings& bindings) {
  std::byte* base = nullptr;
  if (workspace_bytes() > 0)
    base = (bindings.workspace ? *bindings.workspace : own_workspace_).reserve(workspace_bytes(), device_.memory());
  auto* const state = reinterpret_cast<StepState*>(state_.overwrite(device_.memory()));
  bind(bindings, base, bound_);
  if (bound_ != at_ || commands_.empty()) {
    at_ = bound_;
    commands_.clear();
    writes_.clear();
    lower_steps(at_, base, state, commands_);
    lower_writes(at_, state, writes_);
  }
  StepState now;
  now.counter = bindings.step;
  const StreamLease stream(device_);
  stream->upload(state, &now, sizeof now);
  stream->run(commands_);
  if (bindings.commit && !writes_.empty()) stream->run(writes_);
  if (can_stop_) stream->download(&now, state, sizeof now);
  stream->synchronize();
  if (std::optional<Error> error = error_of(now)) throw Error(*error);
}

void CudaProgram::commit() {
  if (writes_.empty()) return;
  const StreamLease stream(device_);
  stream->run(writes_);
  stream->synchronize();
}

std::optional<Error> CudaProgram::error_of(const StepState& state) const {
  if (state.stopped != static_cast<uint32_t>(Stop::index_out_of_range)) return std::nullopt;
  const Step& step = plan_.steps.at(static_cast<size_t>(state.command));
  return index_domain(plan_, step).error(state.value, state.where);
}

size_t CudaDevice::arena_of(const Plan& plan) const { return without_chains(plan).arena_bytes; }

std::unique_ptr<Program> make_program(CudaDevice& device, Plan plan, Precision precision) {
  return std::make_unique<CudaProgram>(device, std::move(plan), precision);
}

}  // namespace downhill::cuda
