#include "backend/cuda/host/update.h"

#include <algorithm>

#include "backend/cuda/host/update_tables.h"

namespace downhill::cuda {

namespace {

/// Of the update's tables.
struct Counts {
  size_t variables = 0, chunks = 0, tiles = 0, unit_sums = 0, units = 0;
};

Counts counts_of(const Updater& updater) {
  const auto parts = [](int64_t size, int64_t part) { return static_cast<size_t>((size + part - 1) / part); };
  Counts counts;
  counts.variables = updater.variables().size();
  counts.units = static_cast<size_t>(updater.units());
  for (const UpdateSpan& variable : updater.variables()) counts.chunks += parts(variable.size, kUpdateChunk);
  counts.unit_sums =
      static_cast<size_t>(each_unit_tile(updater.variables(), [&](int, int64_t, int64_t, int64_t) { ++counts.tiles; }));
  return counts;
}

}  // namespace

struct UpdateCommands::Memory {
  Memory(CudaDevice& device, const Updater& updater, const Counts& counts, size_t steps)
      : spans(counts.variables * sizeof(DeviceSpan), device.memory()),
        chunks(counts.chunks * sizeof(UpdateChunk), device.memory()),
        tiles(counts.tiles * sizeof(UnitTile), device.memory()),
        heads(steps * sizeof(StepHead), device.memory()),
        groups(steps * updater.groups() * sizeof(GroupStep), device.memory()),
        bad(updater.skips() ? counts.chunks * sizeof(uint32_t) : 0, device.memory()),
        squares(counts.chunks * sizeof(float), device.memory()),
        scratch(2 * counts.variables * sizeof(double), device.memory()),
        factors(counts.variables * sizeof(float), device.memory()),
        unit_squares(2 * counts.unit_sums * sizeof(double), device.memory()),
        unit_factors(counts.units * sizeof(float), device.memory()),
        measured(updater.measures() ? 2 * counts.chunks * sizeof(float) : 0, device.memory()),
        trust(counts.variables * sizeof(float), device.memory()),
        staged_heads(device, std::max<size_t>(heads.bytes(), 1)),
        staged_groups(device, std::max<size_t>(groups.bytes(), 1)) {}

  Buffer spans, chunks, tiles;  // of the update's tables
  Buffer heads, groups;         // of the steps of a launch
  Buffer bad, squares, scratch, factors, unit_squares, unit_factors, measured, trust;
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
void collect(const Updater& updater, DeviceMemory* memory, std::vector<const void*>& addresses) {
  addresses.clear();
  const auto writable = [&](const Storage& storage) {
    addresses.push_back(storage.buffer ? storage.write(memory) : nullptr);
  };
  for (const UpdateSpan& variable : updater.variables()) {
    writable(variable.parameter);
    addresses.push_back(variable.gradient.read(memory));
    for (const Storage& slot : variable.slots) writable(slot);
    writable(variable.accumulator);
    writable(variable.average);
  }
  writable(updater.options().dynamic.scale);
  writable(updater.options().dynamic.finite_steps);
}

}  // namespace

UpdateCommands::UpdateCommands(CudaDevice& device, Updater& updater, int max_steps)
    : device_(device), updater_(updater) {
  // A skipped update goes back to its first step, which may be of the launch before.
  const int64_t before = updater.skips() ? updater.options().accumulation_steps - 1 : 0;
  memory_ = std::make_unique<Memory>(device, updater, counts_of(updater), static_cast<size_t>(max_steps + before));
  const UpdateGraphs& graphs = updater.options().graphs;
  if (!graphs.plans.empty()) programs_ = std::make_unique<CudaUpdatePrograms>(device, graphs);
}

UpdateCommands::~UpdateCommands() = default;

bool UpdateCommands::bind() {
  Memory& memory = *memory_;
  DeviceMemory* const there = device_.memory();
  std::vector<const void*>& now = addresses_;
  collect(updater_, there, now);
  bool norms = updater_.options().global_clip_norm > 0;
  for (size_t group = 0; group < updater_.groups(); ++group)
    norms = norms || updater_.get(static_cast<int>(group), "clipNorm") > 0;
  const bool moved = programs_ && programs_->bind();
  if (now == memory.addresses && norms == memory.norms) return moved;

  const UpdateTables tables = update_tables(updater_.variables(), there);
  fill(memory.spans, tables.spans, there);
  fill(memory.chunks, tables.chunks, there);
  fill(memory.tiles, tables.tiles, there);
  UpdateTable& table = memory.table;
  table.spans = on<DeviceSpan>(memory.spans, there);
  table.chunks = on<UpdateChunk>(memory.chunks, there);
  table.heads = on<StepHead>(memory.heads, there);
  table.groups = on<GroupStep>(memory.groups, there);
  table.chunk_count = static_cast<int64_t>(tables.chunks.size());
  table.span_count = static_cast<int32_t>(tables.spans.size());
  table.group_count = static_cast<int32_t>(updater_.groups());
  table.scaled = updater_.options().dynamic.scale.buffer != nullptr;
  memory.addresses = now;
  memory.norms = norms;
  return true;
}

void UpdateCommands::add(std::vector<DhCommand>& commands, StepState* state, bool applies) {
  Memory& memory = *memory_;
  DeviceMemory* const there = device_.memory();
  UpdateArgs update{memory.table, nullptr, nullptr, nullptr, Rule::count_};
  UpdateTable& table = update.table;
  table.state = state;
  if (table.span_count == 0) return;
  if (updater_.skips()) {
    const DynamicLossScale& dynamic = updater_.options().dynamic;
    auto* const bad = on<uint32_t>(memory.bad, there);
    commands.push_back(command(FindNonFiniteArgs{table, bad}));
    DecideUpdateArgs decide{table, bad, nullptr, nullptr, dynamic.growth_steps};
    if (table.scaled) {
      decide.scale = reinterpret_cast<float*>(dynamic.scale.write(there));
      decide.finite_steps = reinterpret_cast<int32_t*>(dynamic.finite_steps.write(there));
    }
    commands.push_back(command(decide));
  }
  if (memory.norms) {
    auto* const factors = on<float>(memory.factors, there);
    auto* const squares = on<float>(memory.squares, there);
    commands.push_back(command(GradientNormsArgs{table, squares}));
    commands.push_back(command(ClipFactorsArgs{table, squares, on<double>(memory.scratch, there), factors}));
    update.factors = factors;
  }
  if (updater_.units() > 0) {
    auto* const squares = on<double>(memory.unit_squares, there);
    const auto half = static_cast<int64_t>(memory.unit_squares.bytes() / sizeof(double) / 2);
    const UnitSquaresArgs units{table, on<UnitTile>(memory.tiles, there), squares, squares + half,
                                static_cast<int64_t>(memory.tiles.bytes() / sizeof(UnitTile))};
    auto* const factors = on<float>(memory.unit_factors, there);
    commands.push_back(command(units));
    commands.push_back(command(UnitFactorsArgs{units, factors}));
    update.units = factors;
  }
  for (const Rule rule : updater_.rules()) {
    update.rule = rule;
    update.trust = nullptr;
    if (uses_norms(rule)) {
      auto* const squares = on<float>(memory.measured, there);
      auto* const trust = on<float>(memory.trust, there);
      commands.push_back(command(MeasureArgs{update, squares}));
      commands.push_back(command(TrustArgs{table, squares, trust, rule}));
      update.trust = trust;
    }
    commands.push_back(command(update));
  }
  if (programs_ && applies) programs_->add(commands, table, state);
}

int64_t UpdateCommands::first_row() const {
  return updater_.skips() ? updater_.position() % updater_.options().accumulation_steps : 0;
}

void UpdateCommands::stage(CudaStream& stream, int steps) {
  Memory& memory = *memory_;
  auto* const heads = reinterpret_cast<StepHead*>(memory.staged_heads.data());
  auto* const groups = reinterpret_cast<GroupStep*>(memory.staged_groups.data());
  const int64_t before = first_row();
  const auto count = static_cast<size_t>(steps + before);
  updater_.plan(updater_.position() - before, steps + before, heads, groups);
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
    const bool applies = updater_.applies(updater_.position());
    if (commands_of_.bind())
      for (std::vector<DhCommand>& old : commands_) old.clear();
    std::vector<DhCommand>& commands = commands_[commands_of_.differs() && !applies];
    if (commands.empty()) commands_of_.add(commands, state, applies);
    StepState now;
    now.row = commands_of_.first_row();
    const StreamLease stream(device_);
    stream->upload(state, &now, sizeof now);
    commands_of_.stage(*stream, 1);
    stream->run(commands);
    if (updater_.skips()) stream->download(&now, state, sizeof now);
    stream->synchronize();
    updater_.count(1, now.skip);
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
