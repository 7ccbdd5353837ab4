#include "training/session.h"

#include <algorithm>
#include <chrono>
#include <cmath>
#include <cstdint>
#include <string>

#include "core/error.h"

namespace downhill {

namespace {

using Clock = std::chrono::steady_clock;

std::string text(int64_t number) { return std::to_string(number); }

int64_t power_of_two_below(int64_t rows) {  // the largest one <= rows
  int64_t power = 1;
  while (power <= rows / 2) power *= 2;
  return power;
}

}  // namespace

Session::Session(SessionOptions options) : options_(std::move(options)) {
  if (!options_.workspace) throw Error(code::kInternal, "A session needs a workspace.");
  if ((options_.kind == SessionKind::train) != (options_.updater != nullptr))
    throw Error(code::kInternal, "A session that trains needs an updater, and no other session takes one.");
  size_t logs = 0;
  for (const int64_t size : options_.logs) {
    if (size < 1) throw Error(code::kInternal, "A log has at least 1 element, received " + text(size) + ".");
    log_offset_.push_back(logs);
    logs += static_cast<size_t>(size);
  }
  logs_.resize(logs);
  sums_.resize(logs);
  last_.resize(logs);
}

std::unique_lock<std::mutex> Session::claim() {
  std::unique_lock<std::mutex> lock(mutex_, std::try_to_lock);
  if (!lock) throw Error(code::kInvalidArgument, "This session is running. Wait for its stretch to end first.");
  return lock;
}

void Session::set_program(int64_t rows, std::shared_ptr<Program> program) {
  const auto lock = claim();
  if (rows < 1) throw Error(code::kInvalidArgument, "A batch needs at least 1 row, received " + text(rows) + ".");
  if (program->plan().outputs.size() < options_.logs.size())
    throw Error(code::kInternal, "The program has " + text(static_cast<int64_t>(program->plan().outputs.size())) +
                                     " outputs, expected at least the " +
                                     text(static_cast<int64_t>(options_.logs.size())) + " logs.");
  const auto same = [&](const Entry& entry) { return entry.rows == rows; };
  entries_.erase(std::remove_if(entries_.begin(), entries_.end(), same), entries_.end());
  Entry entry;
  entry.rows = rows;
  entry.program = std::move(program);
  entry.access = access_of(entry.program->plan());
  add_locks(entry);
  where_ = entry.program->device().memory();
  entries_.push_back(std::move(entry));
  prepared_ = false;
}

/// A step that commits state is held alone from its program to its update, so that nobody sees one without the other.
void Session::add_locks(Entry& entry) const {
  entry.forward.share(entry.access.reads);
  entry.forward.own(entry.access.writes);
  entry.whole = entry.forward;
  if (!options_.updater) return;
  const bool commits = !entry.program->plan().writes.empty();
  LockSet& update = commits ? entry.forward : entry.update;
  update.own(options_.updater->written());
  update.share(options_.updater->read());
  entry.whole = entry.forward;
  entry.whole.own(options_.updater->written());
  entry.whole.share(options_.updater->read());
}

void Session::set_data(std::shared_ptr<const Dataset> dataset, int64_t begin, int64_t end, RowSet set) {
  const auto lock = claim();
  if (begin < 0 || end < begin || end > dataset->rows())
    throw Error(code::kOutOfRange,
                "Rows [" + text(begin) + ", " + text(end) + ") of a data set of " + text(dataset->rows()) + " rows.");
  rows_ = RowOrder(std::move(set), end - begin);
  device_order_.reset();
  dataset_ = std::move(dataset);
  begin_ = begin;
  for (Entry& entry : entries_) entry.loop.reset();
  started_ = prepared_ = false;
}

void Session::begin_epoch(int64_t epoch, int64_t batch_size, Order order, uint64_t seed, std::optional<uint64_t> draw) {
  const auto lock = claim();
  if (!dataset_) throw Error(code::kInvalidArgument, "This session has no data yet.");
  if (batch_size < 1) throw Error(code::kInvalidArgument, "batchSize must be >= 1, received " + text(batch_size) + ".");
  if (!rows_.plain(order) && options_.kind == SessionKind::predict)
    throw Error(code::kInternal, "Predictions keep the order of the rows: they cannot be shuffled.");
  epoch_ = epoch;
  batch_size_ = batch_size;
  length_ = rows_.length(order);
  order_ = order;
  listed_ = !rows_.plain(order);
  seed_ = seed;
  draw_ = draw.value_or(static_cast<uint64_t>(epoch));
  position_ = steps_ = non_finite_ = 0;
  std::fill(sums_.begin(), sums_.end(), 0);
  std::fill(last_.begin(), last_.end(), 0);
  release();
  abort_.store(false, std::memory_order_relaxed);
  started_ = true;
  prepared_ = false;
}

void Session::seek(int64_t steps, const std::vector<double>& sums) {
  const auto lock = claim();
  if (!started_) throw Error(code::kInvalidArgument, "Start an epoch before seeking in it.");
  if (options_.kind != SessionKind::train) throw Error(code::kInternal, "Only a session that trains can seek.");
  const int64_t batches = length_ / batch_size_ + (length_ % batch_size_ > 0 ? 1 : 0);
  if (steps < 0 || steps > batches)
    throw Error(code::kOutOfRange, "Cannot go on after batch " + text(steps) + " of " + text(batches) + ".");
  if (sums.size() != sums_.size())
    throw Error(code::kInvalidArgument, "Expected " + text(static_cast<int64_t>(sums_.size())) + " sums, received " +
                                            text(static_cast<int64_t>(sums.size())) + ".");
  steps_ = steps;
  position_ = steps == batches ? length_ : steps * batch_size_;
  sums_ = sums;
  std::fill(last_.begin(), last_.end(), 0);
  non_finite_ = 0;
  release();
  prepared_ = false;
}

Session::Entry& Session::entry_of(int64_t rows) {
  for (Entry& entry : entries_)
    if (entry.rows == rows) return entry;
  throw Error(code::kInternal, "No program for batches of " + text(rows) + " rows.");
}

int64_t Session::rows_at(int64_t position) const {
  const int64_t left = length_ - position;
  if (left >= batch_size_) return batch_size_;
  return options_.kind == SessionKind::train ? left : power_of_two_below(left);
}

/// Checks and allocates for the rest of the epoch, so that no step does.
void Session::prepare() {
  size_t outputs = 0;
  for (int64_t position = position_; position < length_;) {
    const int64_t size = rows_at(position);
    const Entry& entry = entry_of(size);
    check(entry);
    outputs = std::max(outputs, entry.program->plan().outputs.size());
    position += size == batch_size_ ? (length_ - position) / size * size : size;
  }
  outputs_.resize(outputs);
  if (listed_ && rows_.arrange(order_, seed_, draw_)) order_there_ = false;
  if (where_ && options_.kind != SessionKind::predict)
    prepare_loops();
  else
    place_columns();
  if (!where_ && options_.updater) options_.updater->prepare();
  versions_.reserve(8);
  prepared_ = true;
}

/// The epoch's order where the device reads it, and a loop for every batch size.
void Session::prepare_loops() {
  const std::vector<uint32_t>& order = rows_.order();
  const size_t bytes = order.size() * sizeof(uint32_t);
  const bool room = device_order_ && device_order_->bytes() == bytes;
  if (listed_ && !(room && order_there_)) {
    if (!room) {
      order_there_ = false;
      for (Entry& entry : entries_) entry.loop.reset();
      device_order_ = std::make_unique<Buffer>(bytes, where_);
    }
    std::byte* const to = device_order_->overwrite(where_);
    if (bytes > 0) where_->upload(to, reinterpret_cast<const std::byte*>(order.data()), bytes);
    order_there_ = true;
  }
  for (int64_t position = position_; position < length_;) {
    const int64_t size = rows_at(position);
    Entry& entry = entry_of(size);
    StepLoopOptions loop;
    loop.program = entry.program.get();
    loop.workspace = options_.workspace.get();
    loop.updater = options_.updater.get();
    loop.dataset = dataset_.get();
    loop.begin = begin_;
    loop.rows = length_;
    loop.batch = size;
    loop.logs = options_.logs;
    loop.stop_non_finite = options_.on_non_finite == OnNonFinite::error;
    loop.order = listed_ ? device_order_.get() : nullptr;
    if (!entry.loop || !(entry.loop->options() == loop)) entry.loop = entry.program->device().loop(loop);
    position += size == batch_size_ ? (length_ - position) / size * size : size;
  }
}

/// Whether a batch of the column is read where it lies.
bool Session::lies_ready(const Column& column) const {
  return !where_ && !listed_ && !column.converts() && column.layout != Column::Layout::starts;
}

/// Elements of the program's input i; 0 where nothing uses it.
int64_t Session::room_of(const Entry& entry, size_t i) {
  const Plan& plan = entry.program->plan();
  return i < plan.inputs.size() && plan.inputs[i] >= 0 ? plan.values[static_cast<size_t>(plan.inputs[i])].shape.size()
                                                       : 0;
}

/// Room for a batch of the columns that cannot be read where they lie.
void Session::place_columns() {
  const std::vector<Column>& columns = dataset_->columns();
  const int64_t rows = std::min(batch_size_, length_);
  size_t bytes = 0;
  inputs_.resize(columns.size());
  batch_offset_.resize(columns.size());
  for (size_t i = 0; i < columns.size(); ++i) {
    if (lies_ready(columns[i])) continue;
    batch_offset_[i] = bytes;
    int64_t room = 0;
    for (const Entry& entry : entries_) room = std::max(room, room_of(entry, i));
    const size_t column = static_cast<size_t>(columns[i].elements(rows, room)) * size_of(columns[i].dtype);
    bytes += (column + kAlignment - 1) / kAlignment * kAlignment;
  }
  if (bytes > 0 && (!batch_ || batch_->bytes() < bytes)) batch_ = std::make_unique<Buffer>(bytes);
}

void Session::check_sparse(const Column& column, const Value& value, int64_t rows) const {
  const bool starts = column.layout == Column::Layout::starts;
  const int64_t needed = starts ? rows + 1 : column.sparse->most(rows, order_ == Order::drawn);
  if (starts ? value.shape.size() == needed : value.shape.size() >= needed) return;
  throw Error(code::kShapeMismatch, column.name + " needs " + text(needed) + " elements for " + text(rows) +
                                        " sparse rows, the program has " + value.shape.to_string() + ".");
}

void Session::check(const Entry& entry) const {
  const Plan& plan = entry.program->plan();
  const std::vector<Column>& columns = dataset_->columns();
  if (plan.inputs.size() != columns.size())
    throw Error(code::kShapeMismatch, "The program has " + text(static_cast<int64_t>(plan.inputs.size())) +
                                          " inputs, the data set " + text(static_cast<int64_t>(columns.size())) +
                                          " columns.");
  for (size_t i = 0; i < columns.size(); ++i) {
    if (plan.inputs[i] < 0) continue;
    const Value& value = plan.values[static_cast<size_t>(plan.inputs[i])];
    if (value.dtype != columns[i].dtype)
      throw Error(code::kDtypeMismatch, columns[i].name + " is " + name_of(columns[i].dtype) +
                                            ", the program expects " + name_of(value.dtype) + ".");
    if (columns[i].layout != Column::Layout::dense) {
      check_sparse(columns[i], value, entry.rows);
      continue;
    }
    if (value.shape.size() != entry.rows * columns[i].width)
      throw Error(code::kShapeMismatch, columns[i].name + " has rows of " + text(columns[i].width) +
                                            " elements, the program expects " + value.shape.to_string() + " for " +
                                            text(entry.rows) + " rows.");
  }
  for (size_t j = 0; j < options_.logs.size(); ++j) {
    const Value& value = plan.values[static_cast<size_t>(plan.outputs[j])];
    if (value.dtype != DType::float32 || value.shape.size() != options_.logs[j])
      throw Error(code::kInternal, "Output " + text(static_cast<int64_t>(j)) + " is a log: expected float32 of " +
                                       text(options_.logs[j]) + " elements, received " + name_of(value.dtype) +
                                       value.shape.to_string() + ".");
  }
  for (size_t j = 0; j < plan.outputs.size(); ++j) {
    const Value& value = plan.values[static_cast<size_t>(plan.outputs[j])];
    if (value.place != Place::output) continue;  // has a target
    const bool log = options_.kind != SessionKind::predict && j < options_.logs.size();
    if (log) continue;
    const size_t needed = value.bytes() / static_cast<size_t>(entry.rows) * static_cast<size_t>(length_);
    if (j >= options_.results.size() || options_.results[j].bytes < needed)
      throw Error(code::kInternal, "Output " + text(static_cast<int64_t>(j)) + " has no room for its " +
                                       text(static_cast<int64_t>(needed)) + " bytes.");
  }
}

BatchGatherer Session::gatherer(int64_t position, int64_t rows) const {
  if (listed_) return {begin_, rows_.order().data() + position, rows};
  return {begin_ + position, nullptr, rows};
}

/// Points inputs_ at the next `rows` rows.
void Session::load(int64_t rows) {
  const std::vector<Column>& columns = dataset_->columns();
  std::byte* const batch = batch_ ? batch_->data() : nullptr;
  BatchGatherer gather = gatherer(position_, rows);
  for (size_t i = 0; i < columns.size(); ++i) {
    const Column& column = columns[i];
    if (lies_ready(column)) {
      inputs_[i] = column.row(begin_ + position_);
      continue;
    }
    std::byte* const to = batch + batch_offset_[i];
    gather(column, column.layout == Column::Layout::starts ? room_of(entry_of(rows), i + 1) : 0, to);
    inputs_[i] = to;
  }
  if (!where_ || !batch) return;
  const std::byte* const there = batch_->read(where_);
  for (size_t i = 0; i < columns.size(); ++i) inputs_[i] = there + batch_offset_[i];
}

std::vector<Storage> Session::batch(int64_t back) {
  const auto lock = claim();
  if (options_.kind != SessionKind::train)
    throw Error(code::kInternal, "Only a session that trains tells its batches.");
  const int64_t index = steps_ - back;
  if (!started_ || back < 0 || index < 0 || index >= (length_ + batch_size_ - 1) / batch_size_) return {};
  if (!prepared_) prepare();
  const int64_t position = index * batch_size_, rows = rows_at(position);
  std::vector<Storage> batch;
  BatchGatherer gather = gatherer(position, rows);
  int64_t values = 0;  // of the sparse rows in hand
  for (const Column& column : dataset_->columns()) {
    const size_t bytes = static_cast<size_t>(column.elements(rows, values)) * size_of(column.dtype);
    const Storage& copy = batch.emplace_back(Storage{std::make_shared<Buffer>(bytes), 0, bytes, nullptr});
    gather(column, INT32_MAX, copy.data());
    if (column.layout == Column::Layout::starts) values = reinterpret_cast<const int32_t*>(copy.host())[rows];
  }
  return batch;
}

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

Stretch Session::run(int64_t max_steps, double max_milliseconds) {
  const std::lock_guard<std::mutex> lock(mutex_);
  if (!started_) throw Error(code::kInvalidArgument, "Start an epoch before running this session.");
  if (!prepared_) prepare();
  const bool timed = max_milliseconds > 0 && max_milliseconds < 1e12;
  const auto deadline =
      Clock::now() + std::chrono::microseconds(timed ? static_cast<int64_t>(max_milliseconds * 1e3) : 0);
  bool aborted = false;
  try {
    if (options_.kind == SessionKind::train && !mark_ && position_ < length_) mark_.emplace(trained());
    for (int64_t taken = 0; position_ < length_;) {
      aborted = abort_.exchange(false, std::memory_order_relaxed);
      if (aborted || (taken > 0 && (taken == max_steps || (timed && Clock::now() >= deadline)))) break;
      Entry& entry = entry_of(rows_at(position_));
      if (entry.loop) {
        int64_t most = max_steps > 0 ? max_steps - taken : length_;
        if (timed) {
          const double left = std::chrono::duration<double>(deadline - Clock::now()).count();
          most = std::min(most, std::max<int64_t>(1, static_cast<int64_t>(left / std::max(step_seconds_, 1e-7))));
        }
        taken += launch(entry, most);
      } else {
        step();
        ++taken;
      }
    }
  } catch (...) {
    release();
    throw;
  }
  aborted = abort_.exchange(false, std::memory_order_relaxed) || aborted;
  if (aborted || position_ == length_) release();
  return state(aborted);
}

void Session::step() {
  const int64_t rows = rows_at(position_);
  Entry& entry = entry_of(rows);
  load(rows);
  bind_outputs(entry);
  Bindings bindings;
  bindings.inputs = inputs_.data();
  bindings.outputs = outputs_.data();
  bindings.workspace = options_.workspace.get();
  {
    const std::lock_guard<TurnMutex> program(entry.program->in_use);
    const std::lock_guard<TurnMutex> workspace(options_.workspace->in_use);
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

/// The buffer that is read from a copy, because something trains it; else null.
const Buffer* Session::rebase(const Entry& entry, const std::byte** to) {
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

std::vector<std::shared_ptr<Buffer>> Session::trained() const {
  std::vector<std::shared_ptr<Buffer>> buffers = options_.updater->written();
  for (const Entry& entry : entries_)
    for (const auto& buffer : entry.access.writes)
      if (std::find(buffers.begin(), buffers.end(), buffer) == buffers.end()) buffers.push_back(buffer);
  return buffers;
}

/// The epoch is over, or will be taken up later: readers need no snapshots now, and this one's is out of date then.
void Session::release() {
  mark_.reset();
  snapshot_.reset();
  versions_.clear();
}

Stretch Session::state(bool aborted) const {
  Stretch stretch;
  stretch.steps = steps_;
  stretch.rows = position_;
  stretch.done = position_ == length_;
  stretch.aborted = aborted;
  stretch.sums = sums_;
  stretch.last = last_;
  stretch.non_finite = non_finite_;
  return stretch;
}

}  // namespace downhill
