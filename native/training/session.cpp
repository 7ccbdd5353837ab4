#include "training/session.h"

#include <algorithm>
#include <chrono>
#include <string>

#include "core/error.h"
#include "training/brief.h"

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
  entry.work = entry.program->work();
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

bool Session::brief() {
  const std::unique_lock<std::mutex> lock(mutex_, std::try_to_lock);
  if (!lock || !started_ || where_ || trains()) return false;
  Work left;
  bool free = true;
  for (int64_t position = position_; position < length_;) {
    const int64_t rows = rows_at(position);
    const auto entry = std::find_if(entries_.begin(), entries_.end(), [&](const Entry& e) { return e.rows == rows; });
    if (entry == entries_.end()) return false;
    left.flops += entry->work.flops;
    left.bytes += entry->work.bytes;
    if (!is_brief(left, entry->program->device())) return false;
    const std::unique_lock<TurnMutex> program(entry->program->in_use, std::try_to_lock);
    free = free && program && entry->forward.free();
    position += rows;
  }
  const std::unique_lock<TurnMutex> workspace(options_.workspace->in_use, std::try_to_lock);
  return free && workspace;
}

Stretch Session::run(int64_t max_steps, double max_milliseconds) {
  const std::lock_guard<std::mutex> lock(mutex_);
  if (!started_) throw Error(code::kInvalidArgument, "Start an epoch before running this session.");
  if (!prepared_) prepare();
  const bool timed = max_milliseconds > 0 && max_milliseconds < 1e12;
  const auto deadline =
      Clock::now() + std::chrono::microseconds(timed ? static_cast<int64_t>(max_milliseconds * 1e3) : 0);
  struct Forget {
    Session& session;
    ~Forget() { session.forget_ahead(); }
  } forget{*this};
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
