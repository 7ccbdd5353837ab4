#include "backend/cuda/host/update.h"

#include <algorithm>

#include "backend/cuda/host/update_tables.h"

namespace downhill::cuda {

struct UpdateCommands::Memory {
  Memory(CudaDevice& device, size_t variables, size_t chunk_count, size_t group_count, size_t steps)
      : spans(variables * sizeof(DeviceSpan), device.memory()),
        chunks(chunk_count * sizeof(UpdateChunk), device.memory()),
        heads(steps * sizeof(StepHead), device.memory()),
        groups(steps * group_count * sizeof(GroupStep), device.memory()),
        squares(chunk_count * sizeof(float), device.memory()),
        scratch(2 * variables * sizeof(double), device.memory()),
        factors(variables * sizeof(float), device.memory()),
        staged_heads(device, std::max<size_t>(heads.bytes(), 1)),
        staged_groups(device, std::max<size_t>(groups.bytes(), 1)) {}

  Buffer spans, chunks;  // of the update's tables
  Buffer heads, groups;  // of the steps of a launch
  Buffer squares, scratch, factors;
  PinnedMemory staged_heads, staged_groups;
  std::vector<const void*> addresses;  // that the tables were made from
  UpdateTable table{};                 // in device memory
  bool norms = false;                  // clipping asks for them
};

namespace {

template <typename T>
T* on(Buffer& buffer, DeviceMemory* memory) {
  return reinterpret_cast<T*>(buffer.write(memory));
}

template <typename T>
void fill(Buffer& buffer, const std::vector<T>& values, DeviceMemory* memory) {
  if (!values.empty())
    memory->upload(buffer.overwrite(memory), reinterpret_cast<const std::byte*>(values.data()),
                   values.size() * sizeof(T));
}

/// Where the variables are now; the contents move to the device where they are not there yet.
void collect(const std::vector<UpdateSpan>& variables, DeviceMemory* memory, std::vector<const void*>& addresses) {
  addresses.clear();
  const auto writable = [&](const Storage& storage) {
    addresses.push_back(storage.buffer ? storage.write(memory) : nullptr);
  };
  for (const UpdateSpan& variable : variables) {
    writable(variable.parameter);
    addresses.push_back(variable.gradient.read(memory));
    for (const Storage& slot : variable.slots) writable(slot);
    writable(variable.accumulator);
    writable(variable.average);
  }
}

size_t chunks_of(const std::vector<UpdateSpan>& variables) {
  int64_t chunks = 0;
  for (const UpdateSpan& variable : variables) chunks += (variable.size + kUpdateChunk - 1) / kUpdateChunk;
  return static_cast<size_t>(chunks);
}

}  // namespace

UpdateCommands::UpdateCommands(CudaDevice& device, Updater& updater, int max_steps)
    : device_(device), updater_(updater) {
  const std::vector<UpdateSpan>& variables = updater.variables();
  memory_ = std::make_unique<Memory>(device, variables.size(), chunks_of(variables), updater.groups(),
                                     static_cast<size_t>(max_steps));
  const UpdateGraphs& graphs = updater.options().graphs;
  if (!graphs.plans.empty()) programs_ = std::make_unique<CudaUpdatePrograms>(device, graphs);
}

UpdateCommands::~UpdateCommands() = default;

bool UpdateCommands::bind() {
  Memory& memory = *memory_;
  DeviceMemory* const there = device_.memory();
  std::vector<const void*>& now = addresses_;
  collect(updater_.variables(), there, now);
  bool norms = updater_.options().global_clip_norm > 0;
  for (size_t group = 0; group < updater_.groups(); ++group)
    norms = norms || updater_.get(static_cast<int>(group), "clipNorm") > 0;
  const bool moved = programs_ && programs_->bind();
  if (now == memory.addresses && norms == memory.norms) return moved;

  const UpdateTables tables = update_tables(updater_.variables(), there);
  fill(memory.spans, tables.spans, there);
  fill(memory.chunks, tables.chunks, there);
  UpdateTable& table = memory.table;
  table.spans = on<DeviceSpan>(memory.spans, there);
  table.chunks = on<UpdateChunk>(memory.chunks, there);
  table.heads = on<StepHead>(memory.heads, there);
  table.groups = on<GroupStep>(memory.groups, there);
  table.chunk_count = static_cast<int64_t>(tables.chunks.size());
  table.span_count = static_cast<int32_t>(tables.spans.size());
  table.group_count = static_cast<int32_t>(updater_.groups());
  memory.addresses = now;
  memory.norms = norms;
  return true;
}

void UpdateCommands::add(std::vector<DhCommand>& commands, StepState* state, bool applies) {
  Memory& memory = *memory_;
  DeviceMemory* const there = device_.memory();
  UpdateTable table = memory.table;
  table.state = state;
  if (table.span_count == 0) return;
  float* factors = nullptr;
  if (memory.norms) {
    factors = on<float>(memory.factors, there);
    float* const squares = on<float>(memory.squares, there);
    commands.push_back(command(GradientNormsArgs{table, squares}));
    commands.push_back(command(ClipFactorsArgs{table, squares, on<double>(memory.scratch, there), factors}));
  }
  for (const Rule rule : updater_.rules()) commands.push_back(command(UpdateArgs{table, factors, rule}));
  if (programs_ && applies) programs_->add(commands, table, state);
}

void UpdateCommands::stage(CudaStream& stream, int steps) {
  Memory& memory = *memory_;
  auto* const heads = reinterpret_cast<StepHead*>(memory.staged_heads.data());
  auto* const groups = reinterpret_cast<GroupStep*>(memory.staged_groups.data());
  updater_.plan(updater_.iterations(), steps, heads, groups);
  const auto count = static_cast<size_t>(steps);
  stream.upload(const_cast<StepHead*>(memory.table.heads), heads, count * sizeof(StepHead));
  stream.upload(const_cast<GroupStep*>(memory.table.groups), groups, count * updater_.groups() * sizeof(GroupStep));
}

// ---- updates outside of a loop -----------------------------------------------------------------------------------

namespace {

/// One update from gradients as they stand.
class SingleUpdate final : public DeviceUpdate {
 public:
  SingleUpdate(CudaDevice& device, Updater& updater)
      : device_(device),
        commands_of_(device, updater, 1),
        updater_(updater),
        state_(sizeof(StepState), device.memory()) {}

  void apply() override {
    auto* const state = reinterpret_cast<StepState*>(state_.write(device_.memory()));
    const bool applies = updater_.applies(updater_.iterations());
    if (commands_of_.bind())
      for (std::vector<DhCommand>& old : commands_) old.clear();
    std::vector<DhCommand>& commands = commands_[commands_of_.differs() && !applies];
    if (commands.empty()) commands_of_.add(commands, state, applies);
    const StepState fresh;
    const StreamLease stream(device_);
    stream->upload(state, &fresh, sizeof fresh);
    commands_of_.stage(*stream, 1);
    stream->run(commands);
    stream->synchronize();
    updater_.count(1);
  }

 private:
  CudaDevice& device_;
  UpdateCommands commands_of_;
  Updater& updater_;
  Buffer state_;
  std::vector<DhCommand> commands_[2];  // of updates, and of steps that only accumulate where these differ
};

}  // namespace

std::unique_ptr<DeviceUpdate> make_update(CudaDevice& device, Updater& updater) {
  return std::make_unique<SingleUpdate>(device, updater);
}

}  // namespace downhill::cuda
