#include "training/profile.h"

#include <chrono>
#include <string>

#include "backend/device.h"
#include "core/denormals.h"
#include "core/error.h"
#include "data/gather.h"
#include "data/permutation.h"
#include "training/checked_rows.h"
#include "training/locks.h"
#include "training/run_once.h"

namespace downhill {

namespace {

using Clock = std::chrono::steady_clock;

double since(Clock::time_point began) { return std::chrono::duration<double>(Clock::now() - began).count(); }

/// Gathers batches as a session does: rows that lie as the program wants them are read in place.
class Batches {
 public:
  Batches(const Plan& plan, const Dataset& data, int64_t rows, bool shuffled) : plan_(plan), data_(data), rows_(rows) {
    if (rows < 1 || rows > data.rows() || plan.inputs.size() != data.columns().size())
      throw Error(code::kInternal, "A batch of " + std::to_string(rows) + " rows of a data set of " +
                                       std::to_string(data.rows()) + ", in " + std::to_string(data.columns().size()) +
                                       " columns for " + std::to_string(plan.inputs.size()) + " inputs.");
    if (shuffled) {
      order_.resize(static_cast<size_t>(data.rows()));
      permute(order_, 0, 0);
    }
    for (size_t i = 0; i < plan.inputs.size(); ++i) {
      const Column& column = data.columns()[i];
      const size_t bytes = static_cast<size_t>(column.elements(rows, room(i))) * size_of(column.dtype);
      inputs_.push_back({lies_ready(column) ? column.storage.buffer : std::make_shared<Buffer>(bytes), 0, bytes, {}});
    }
  }

  const std::vector<Storage>& gather(int64_t batch) {
    const int64_t position = batch % (data_.rows() / rows_) * rows_;
    BatchGatherer gather =
        order_.empty() ? BatchGatherer(position, nullptr, rows_) : BatchGatherer(0, order_.data() + position, rows_);
    for (size_t i = 0; i < inputs_.size(); ++i) {
      const Column& column = data_.columns()[i];
      const bool starts = column.layout == Column::Layout::starts;
      if (lies_ready(column))
        inputs_[i].offset = static_cast<size_t>(column.row(position) - column.storage.buffer->read(nullptr));
      else if (plan_.inputs[i] >= 0)
        gather(column, starts ? room(i + 1) : 0, inputs_[i].data());
    }
    return inputs_;
  }

 private:
  bool lies_ready(const Column& column) const {
    return order_.empty() && !column.converts() && column.layout != Column::Layout::starts;
  }
  /// Elements of input i; 0 where nothing uses it.
  int64_t room(size_t i) const {
    return plan_.inputs[i] < 0 ? 0 : plan_.values[static_cast<size_t>(plan_.inputs[i])].shape.size();
  }

  const Plan& plan_;
  const Dataset& data_;
  const int64_t rows_;
  std::vector<uint32_t> order_;
  std::vector<Storage> inputs_;
};

std::vector<Storage> outputs_of(const Program& program) {
  std::vector<Storage> outputs;
  for (const int output : program.plan().outputs) {
    const Value& value = program.plan().values[static_cast<size_t>(output)];
    Storage& made = outputs.emplace_back();
    if (value.place != Place::output) continue;
    made.bytes = value.bytes();
    made.buffer = std::make_shared<Buffer>(made.bytes, program.device().memory());
  }
  return outputs;
}

void check_inputs(const Plan& plan, const std::vector<Storage>& inputs) {
  if (inputs.size() != plan.inputs.size())
    throw Error(code::kInternal, "The program takes " + std::to_string(plan.inputs.size()) + " inputs, received " +
                                     std::to_string(inputs.size()) + ".");
  for (size_t i = 0; i < inputs.size(); ++i)
    if (plan.inputs[i] >= 0 && inputs[i].bytes != plan.values[static_cast<size_t>(plan.inputs[i])].bytes())
      throw Error(code::kInternal, "Input " + std::to_string(i) + " has " + std::to_string(inputs[i].bytes) +
                                       " bytes, which is not its size.");
}

}  // namespace

std::vector<ProfileRun> profile(const ProfileOptions& options, int64_t first, int64_t max_runs,
                                double max_milliseconds) {
  Program& program = *options.program;
  const Plan& plan = program.plan();
  const std::vector<Storage> outputs = outputs_of(program);
  std::unique_ptr<Batches> batches;
  if (options.data) batches = std::make_unique<Batches>(plan, *options.data, options.rows, options.shuffled);
  const bool checked = options.data && sparse_checked(plan, *options.data);
  LockSet locks;
  if (options.updater) {
    if (program.device().memory()) throw Error(code::kUnsupported, "Updates are profiled on the CPU only.");
    options.updater->prepare();
    locks.own(options.updater->written());
    locks.share(options.updater->read());
  }
  std::vector<double> seconds(plan.steps.size() + 1);
  std::vector<ProfileRun> runs;
  const Clock::time_point began = Clock::now();
  while (runs.empty() || (static_cast<int64_t>(runs.size()) < max_runs && since(began) * 1e3 < max_milliseconds)) {
    const int64_t index = first + static_cast<int64_t>(runs.size());
    ProfileRun run;
    Clock::time_point start = Clock::now();
    const std::vector<Storage>& inputs = batches ? batches->gather(index) : options.inputs;
    if (batches) run.gather = since(start);
    check_inputs(plan, inputs);
    const FlushDenormals flush(options.data != nullptr);  // as sessions do
    run_once(program, *options.workspace, inputs, outputs, static_cast<uint64_t>(index), seconds.data(), checked);
    run.steps.assign(seconds.begin(), seconds.end() - 1);
    run.program = seconds.back();
    if (options.updater) {
      const Locked locked(locks);
      start = Clock::now();
      options.updater->apply();
      run.update = since(start);
    }
    run.total = run.gather + run.program + run.update;
    runs.push_back(std::move(run));
  }
  return runs;
}

}  // namespace downhill
