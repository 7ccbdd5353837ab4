// The steps of a session: a batch through its program, and what follows from it.
#include <algorithm>
#include <chrono>
#include <cmath>
#include <string>

#include "core/denormals.h"
#include "core/error.h"
#include "training/brief.h"
#include "training/session.h"

namespace downhill {

namespace {

using Clock = std::chrono::steady_clock;

std::string text(int64_t number) { return std::to_string(number); }

}  // namespace

void Session::bind_outputs(const Entry& entry) {
  const Plan& plan = entry.program->plan();
  for (size_t j = 0; j < plan.outputs.size(); ++j) {
    const Value& value = plan.values[static_cast<size_t>(plan.outputs[j])];
    if (value.place != Place::output)
      outputs_[j] = nullptr;
    else if (options_.kind != SessionKind::predict)
      outputs_[j] = &logs_[log_offset_[j]];
    else
      outputs_[j] = options_.results[j].write(where_) +
                    value.bytes() / static_cast<size_t>(entry.rows) * static_cast<size_t>(position_);
  }
}

void Session::step() {
  const int64_t rows = rows_at(position_);
  Entry& entry = entry_of(rows);
  load(rows);
  gather_ahead(position_ + rows);
  bind_outputs(entry);
  Bindings bindings;
  bindings.inputs = inputs_.data();
  bindings.outputs = outputs_.data();
  bindings.workspace = options_.workspace.get();
  {
    const std::lock_guard<TurnMutex> program(entry.program->in_use);
    const std::lock_guard<TurnMutex> workspace(options_.workspace->in_use);
    const FlushDenormals flush(!where_);
    if (options_.kind == SessionKind::train)
      train(entry, bindings);
    else if (!read(entry, bindings))
      return start_again();
  }
  add_logs();
  position_ += rows;
  ++steps_;
}

void Session::add_logs() {
  for (size_t j = 0; j < logs_.size(); ++j) sums_[j] += last_[j] = static_cast<double>(logs_[j]);
}

int64_t Session::steps_of_launch(const Entry& entry, int64_t most) const {
  constexpr double kLongest = 0.02;  // seconds: readers and aborts wait for a launch
  const int64_t left = (length_ - position_) / entry.rows;
  const auto paced = step_seconds_ > 0 ? static_cast<int64_t>(kLongest / step_seconds_) : 1;
  return std::max<int64_t>(1, std::min({most, left, paced, static_cast<int64_t>(entry.loop->max_steps())}));
}

/// Up to `most` steps on the device; gives how many ended.
int64_t Session::launch(Entry& entry, int64_t most) {
  StepLoop::Launch launch;
  launch.position = position_;
  launch.steps = static_cast<int>(steps_of_launch(entry, most));
  launch.counter = static_cast<uint64_t>(steps_);
  const auto started = Clock::now();
  StepLoop::Outcome outcome;
  {
    const std::lock_guard<TurnMutex> program(entry.program->in_use);
    const std::lock_guard<TurnMutex> workspace(options_.workspace->in_use);
    const bool reads = options_.kind != SessionKind::train;
    if (reads) launch.rebase_from = rebase(entry, &launch.rebase_to);
    const Locked locked(entry.whole, launch.rebase_from);
    if (reads && !same_versions(entry.access.reads, launch.rebase_from)) {
      start_again();
      return 0;
    }
    outcome = entry.loop->run(launch);
  }
  for (int i = 0; i < outcome.steps; ++i) {
    std::copy_n(outcome.logs + static_cast<size_t>(i) * logs_.size(), logs_.size(), logs_.begin());
    if (options_.on_non_finite != OnNonFinite::error) check_loss();
    add_logs();
    position_ += entry.rows;
    ++steps_;
  }
  if (outcome.error) throw Error(*outcome.error);
  if (outcome.non_finite) {
    std::copy_n(outcome.logs + static_cast<size_t>(outcome.steps) * logs_.size(), logs_.size(), logs_.begin());
    check_loss();
  }
  step_seconds_ = std::chrono::duration<double>(Clock::now() - started).count() / std::max(1, outcome.steps);
  return outcome.steps;
}

void Session::train(Entry& entry, Bindings& bindings) {
  bindings.step = static_cast<uint64_t>(options_.updater->iterations());
  if (!entry.program->plan().writes.empty()) {
    const Locked all(entry.forward);
    bindings.commit = false;
    entry.program->run(bindings);
    check_loss();
    entry.program->commit();
    options_.updater->apply();
    return;
  }
  {
    const Locked forward(entry.forward);
    entry.program->run(bindings);
  }
  check_loss();
  const Locked update(entry.update);
  options_.updater->apply();
}

/// False when the variables have changed since the first batch.
bool Session::read(Entry& entry, Bindings& bindings) {
  bindings.step = static_cast<uint64_t>(steps_);
  const Buffer* const rebased = bindings.rebase_from = rebase(entry, &bindings.rebase_to);
  const Locked forward(entry.forward, rebased);
  if (!same_versions(entry.access.reads, rebased)) return false;
  entry.program->run(bindings);
  check_loss();
  return true;
}

/// The buffer that is read from a copy, because something trains it; else null. One brief batch reads it where it is:
/// that takes no longer than copying it.
const Buffer* Session::rebase(const Entry& entry, const std::byte** to) {
  if (!where_ && entry.rows == length_ && is_brief(entry.work, entry.program->device())) return nullptr;
  const std::vector<std::shared_ptr<Buffer>>& reads = entry.access.reads;
  if (!snapshot_) snapshot_ = snapshot_if_training(reads);
  if (!snapshot_ || std::find(reads.begin(), reads.end(), snapshot_->source) == reads.end()) return nullptr;
  *to = snapshot_->copy.read(where_);
  return snapshot_->source.get();
}

/// All batches of a walk must see the variables as of one moment. Remembers that moment at the first batch.
bool Session::same_versions(const std::vector<std::shared_ptr<Buffer>>& reads, const Buffer* rebased) {
  const auto version_of = [&](const Buffer& buffer) {
    return &buffer == rebased ? snapshot_->version : buffer.version.load(std::memory_order_relaxed);
  };
  for (const auto& buffer : reads) {
    const auto known =
        std::find_if(versions_.begin(), versions_.end(), [&](const auto& item) { return item.first == buffer.get(); });
    if (known == versions_.end())
      versions_.emplace_back(buffer.get(), version_of(*buffer));
    else if (known->second != version_of(*buffer))
      return false;
  }
  return true;
}

/// Training, or setWeights, began between two batches: what was done so far is of older variables.
void Session::start_again() {
  position_ = steps_ = non_finite_ = 0;
  std::fill(sums_.begin(), sums_.end(), 0);
  versions_.clear();
}

void Session::check_loss() {
  if (options_.kind == SessionKind::predict || logs_.empty() || std::isfinite(logs_[0])) return;
  if (options_.on_non_finite != OnNonFinite::error) {
    ++non_finite_;
    return;
  }
  const std::string value = std::isnan(logs_[0]) ? "NaN" : "infinite";
  if (options_.kind == SessionKind::evaluate)
    throw Error(code::kNonFinite, "The loss of batch " + text(steps_ + 1) + " of this evaluation is " + value +
                                      ". Check the data and the weights.");
  throw Error(code::kNonFinite, "The loss is " + value + " in epoch " + text(epoch_ + 1) + ", step " +
                                    text(steps_ + 1) +
                                    ". Lower the learning rate, clip the gradients (clipNorm), or check the data.");
}

}  // namespace downhill
