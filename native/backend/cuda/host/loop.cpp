// A training (or evaluation) step as one graph: load a batch, run the program, keep the logs, update, go on. It is
// captured once and replayed without the host; what changes from step to step lies in device memory (commands/step.h).
#include <algorithm>
#include <cstring>
#include <limits>
#include <memory>
#include <numeric>
#include <vector>

#include "backend/cuda/host/feed.h"
#include "backend/cuda/host/program.h"
#include "backend/cuda/host/update.h"

namespace downhill::cuda {

namespace {

/// So that the logs of a launch stay small beside its data.
int steps_that_fit(int steps, int64_t elements) {
  constexpr int64_t kElements = int64_t{1} << 22;
  return static_cast<int>(std::max<int64_t>(1, std::min<int64_t>(steps, kElements / std::max<int64_t>(1, elements))));
}

/// Where each of the outputs begins that become logs, and where they end; aligned, in bytes.
std::vector<size_t> places_of(const std::vector<int64_t>& logs) {
  std::vector<size_t> places{0};
  for (const int64_t size : logs)
    places.push_back(places.back() + (static_cast<size_t>(size) * sizeof(float) + 15) / 16 * 16);
  return places;
}

class CudaLoop final : public StepLoop {
 public:
  CudaLoop(CudaDevice& device, const StepLoopOptions& options)
      : device_(device),
        memory_(device.memory()),
        options_(options),
        program_(static_cast<CudaProgram&>(*options.program)),
        stream_(device),
        feed_(device, options),
        elements_(std::accumulate(options.logs.begin(), options.logs.end(), int64_t{0})),
        max_steps_(steps_that_fit(feed_.max_steps(), elements_)),
        outputs_at_(places_of(options.logs)),
        state_(sizeof(StepState), memory_),
        logged_(outputs_at_.back(), memory_),
        log_(logs_bytes(max_steps()), memory_),
        host_log_(device, std::max<size_t>(logs_bytes(max_steps()), 1)),
        host_state_(device, sizeof(StepState)) {
    if (options.updater) update_ = std::make_unique<UpdateCommands>(device, *options.updater, max_steps());
    place_batch();
  }

  Outcome run(const Launch& launch) override {
    const int steps = std::min(launch.steps, max_steps());
    auto& state = *new (host_state_.data()) StepState;
    try {
      replay(launch, steps, state);
    } catch (...) {
      finish();
      throw;
    }

    Outcome outcome;
    outcome.steps = static_cast<int>(state.index);
    outcome.logs = reinterpret_cast<const float*>(host_log_.data());
    outcome.non_finite = state.stopped == static_cast<uint32_t>(Stop::non_finite);
    outcome.error = program_.error_of(state);
    if (update_) options_.updater->count(outcome.steps, state.skipped);
    return outcome;
  }

  int max_steps() const override { return max_steps_; }
  const StepLoopOptions& options() const override { return options_; }

 private:
  /// A graph and all that its commands point to.
  struct Captured {
    std::vector<const void*> addresses;
    std::unique_ptr<CudaGraph> graph;
    std::unique_ptr<CudaGraph> accumulating;  // of steps without an update, where these differ
  };

  Captured& captured() { return captured_[feed_.side()]; }
  size_t logs_bytes(int steps) const { return static_cast<size_t>(steps * elements_) * sizeof(float); }

  void replay(const Launch& launch, int steps, StepState& state) {
    feed_.load(launch, steps, stream_);
    prepare(launch);
    state.position = feed_.position(launch);
    state.row = update_ ? update_->first_row() : 0;
    state.counter = update_ ? static_cast<uint64_t>(options_.updater->iterations()) : launch.counter;
    stream_.upload(state_at_, &state, sizeof state);
    if (update_) update_->stage(stream_, steps);
    launch_graphs(steps);
    stream_.download(&state, state_at_, sizeof state);
    if (elements_ > 0) stream_.download(host_log_.data(), log_at_, logs_bytes(steps));
    feed_.load_ahead(launch.position + steps * options_.batch, steps);
    stream_.synchronize();
  }

  void launch_graphs(int steps) {
    if (!captured().accumulating) return stream_.launch(captured().graph->get(), steps);
    // A skipped update starts its steps anew, so that the places in a window go on in turn.
    const int64_t first = options_.updater->position();
    for (int done = 0, run = 0; done < steps; done += run) {
      const bool applies = options_.updater->applies(first + done);
      for (run = 1; done + run < steps && options_.updater->applies(first + done + run) == applies;) ++run;
      stream_.launch((applies ? captured().graph : captured().accumulating)->get(), run);
    }
  }

  /// After a failure: memory may be given back only when the device is done with it.
  void finish() noexcept {
    try {
      stream_.synchronize();
    } catch (const std::exception&) {  // the failure itself is reported
    }
  }

  /// Room for a batch, column after column.
  void place_batch() {
    size_t bytes = 0;
    const std::vector<Column>& columns = options_.dataset->columns();
    for (size_t i = 0; i < columns.size(); ++i) {
      batch_offset_.push_back(bytes);
      bytes += (static_cast<size_t>(options_.elements(i)) * size_of(columns[i].dtype) + 255) / 256 * 256;
    }
    batch_ = std::make_unique<Buffer>(bytes, memory_);
  }

  /// Everything where the graph expects it; captures again when something has moved.
  void prepare(const Launch& launch) {
    const Plan& plan = program_.plan();
    const size_t columns = options_.dataset->columns().size();
    std::byte* const workspace =
        program_.workspace_bytes() > 0 ? options_.workspace->reserve(program_.workspace_bytes(), memory_) : nullptr;
    std::byte* const batch = batch_->overwrite(memory_);
    std::byte* const logged = logged_.overwrite(memory_);
    state_at_ = reinterpret_cast<StepState*>(state_.overwrite(memory_));
    log_at_ = reinterpret_cast<float*>(log_.overwrite(memory_));

    inputs_.resize(columns);
    for (size_t i = 0; i < columns; ++i) inputs_[i] = batch + batch_offset_[i];
    outputs_.assign(plan.outputs.size(), nullptr);
    for (size_t j = 0; j < options_.logs.size(); ++j) outputs_[j] = logged + outputs_at_[j];
    Bindings bindings;
    bindings.inputs = inputs_.data();
    bindings.outputs = outputs_.data();
    bindings.rebase_from = launch.rebase_from;
    bindings.rebase_to = launch.rebase_to;
    program_.bind(bindings, workspace, at_);

    addresses_.assign(at_.begin(), at_.end());
    for (const void* input : inputs_) addresses_.push_back(input);
    for (size_t i = 0; i < columns; ++i) addresses_.push_back(feed_.column(i));
    addresses_.push_back(feed_.order());
    addresses_.push_back(workspace);
    addresses_.push_back(logged);
    addresses_.push_back(state_at_);
    addresses_.push_back(log_at_);
    if (update_ && update_->bind())
      for (Captured& other : captured_) other.graph.reset();
    if (captured().graph && addresses_ == captured().addresses) return;
    captured().graph.reset();
    captured().accumulating.reset();
    captured().graph = capture(workspace, true);
    if (update_ && update_->differs()) captured().accumulating = capture(workspace, false);
    captured().addresses = addresses_;
  }

  std::unique_ptr<CudaGraph> capture(std::byte* workspace, bool updates) {
    commands_.clear();
    load_batch();
    program_.lower_steps(at_, workspace, state_at_, commands_);
    add_log();
    program_.lower_writes(at_, state_at_, commands_);
    if (update_) update_->add(commands_, state_at_, updates);
    const int64_t window = update_ ? options_.updater->options().accumulation_steps : 1;
    commands_.push_back(command(AdvanceArgs{options_.batch, state_at_, window}));
    return std::make_unique<CudaGraph>(device_, commands_);
  }

  void load_batch() {
    const std::vector<Column>& columns = options_.dataset->columns();
    for (size_t i = 0; i < columns.size(); ++i) {
      if (!options_.reads(i)) continue;
      if (columns[i].layout != Column::Layout::dense) {
        load_sparse(i);
        continue;
      }
      LoadBatchArgs args{};
      args.column = feed_.column(i);
      args.order = feed_.order();
      args.to = const_cast<void*>(inputs_[i]);
      args.begin = feed_.begin();
      args.rows = options_.batch;
      args.width = columns[i].width;
      args.element = feed_.element(i);
      args.dtype = columns[i].dtype;
      args.state = state_at_;
      commands_.push_back(command(args));
    }
  }

  void load_sparse(size_t i) {
    const Column& column = options_.dataset->columns()[i];
    const auto* const from = static_cast<const uint32_t*>(feed_.column(i));
    void* const to = const_cast<void*>(inputs_[i]);
    if (!feed_.resident()) {
      commands_.push_back(
          command(LoadGatheredArgs{from, static_cast<uint32_t*>(to), options_.elements(i), options_.batch, state_at_}));
    } else if (column.layout == Column::Layout::starts) {
      starts_ = static_cast<int32_t*>(to);
      commands_.push_back(command(LoadStartsArgs{reinterpret_cast<const int32_t*>(from), feed_.order(), starts_,
                                                 feed_.begin(), options_.batch, options_.elements(i + 1), state_at_}));
    } else {
      const auto* const indptr = reinterpret_cast<const int32_t*>(column.sparse->indptr.read(memory_));
      commands_.push_back(command(LoadValuesArgs{from, indptr, feed_.order(), starts_, static_cast<uint32_t*>(to),
                                                 feed_.begin(), options_.batch, state_at_}));
    }
  }

  void add_log() {
    // The first ones last: a step that they stop has all of its logs.
    int64_t begin = elements_;
    for (size_t j = options_.logs.size(); j > 0;) {
      LogArgs args{};
      args.count = static_cast<int>((j - 1) % kMaxLogs + 1);
      j -= static_cast<size_t>(args.count);
      begin -= std::accumulate(&options_.logs[j], &options_.logs[j] + args.count, int64_t{0});
      args.begin[0] = static_cast<int>(begin);
      for (int i = 0; i < args.count; ++i) {
        const size_t output = j + static_cast<size_t>(i);
        // It may have a place of its own: a constant, a variable.
        args.from[i] = static_cast<const float*>(at_[static_cast<size_t>(program_.plan().outputs[output])]);
        args.begin[i + 1] = args.begin[i] + static_cast<int>(options_.logs[output]);
      }
      args.length = static_cast<int>(elements_);
      args.stop_non_finite = options_.stop_non_finite && j == 0;
      args.log = log_at_;
      args.state = state_at_;
      commands_.push_back(command(args));
    }
  }

  CudaDevice& device_;
  DeviceMemory* const memory_;
  const StepLoopOptions options_;
  CudaProgram& program_;
  CudaStream stream_;
  Feed feed_;
  const int64_t elements_;  // of the logs of a step
  const int max_steps_;
  const std::vector<size_t> outputs_at_;  // in logged_, bytes
  Buffer state_, logged_, log_;
  PinnedMemory host_log_, host_state_;
  std::unique_ptr<UpdateCommands> update_;
  std::unique_ptr<Buffer> batch_;
  std::vector<size_t> batch_offset_;  // by column, bytes

  StepState* state_at_ = nullptr;
  int32_t* starts_ = nullptr;  // of the batch's sparse rows
  float* log_at_ = nullptr;
  std::vector<const void*> inputs_;
  std::vector<void*> outputs_;
  std::vector<void*> at_;               // by value of the plan
  std::vector<const void*> addresses_;  // all that the commands point to
  std::vector<DhCommand> commands_;
  Captured captured_[2];  // by the feed's side
};

}  // namespace

std::unique_ptr<StepLoop> make_loop(CudaDevice& device, const StepLoopOptions& options) {
  return std::make_unique<CudaLoop>(device, options);
}

}  // namespace downhill::cuda
