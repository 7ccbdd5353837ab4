// The data side of a session: where the rows of its batches lie, on the host or a device.
#include <algorithm>
#include <cstdint>
#include <string>

#include "core/error.h"
#include "training/checked_rows.h"
#include "training/session.h"

namespace downhill {

namespace {

// Bytes of a batch that is gathered ahead: a smaller one takes no time, a larger one would push the one in hand out of
// the caches for the little that is done of it.
constexpr size_t kLeastAhead = 1 << 15, kMostAhead = 1 << 20;

std::string text(int64_t number) { return std::to_string(number); }

}  // namespace

bool gathers_ahead(size_t batch_bytes) { return batch_bytes >= kLeastAhead && batch_bytes <= kMostAhead; }

/// Checks and allocates for the rest of the epoch, so that no step does.
void Session::prepare() {
  size_t outputs = 0;
  for (int64_t position = position_; position < length_;) {
    const int64_t size = rows_at(position);
    Entry& entry = entry_of(size);
    check(entry);
    entry.sparse_checked = sparse_checked(entry.program->plan(), *dataset_);
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

/// Whether a program reads column i; else there is no batch of it.
bool Session::reads(size_t i) const {
  return std::any_of(entries_.begin(), entries_.end(), [i](const Entry& entry) {
    const std::vector<int>& inputs = entry.program->plan().inputs;
    return i < inputs.size() && inputs[i] >= 0;
  });
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
  inputs_.assign(columns.size(), nullptr);
  batch_offset_.resize(columns.size());
  for (size_t i = 0; i < columns.size(); ++i) {
    if (lies_ready(columns[i]) || !reads(i)) continue;
    batch_offset_[i] = bytes;
    int64_t room = 0;
    for (const Entry& entry : entries_) room = std::max(room, room_of(entry, i));
    const size_t column = static_cast<size_t>(columns[i].elements(rows, room)) * size_of(columns[i].dtype);
    bytes += (column + kAlignment - 1) / kAlignment * kAlignment;
  }
  if (bytes > 0 && (!batch_ || batch_->bytes() < bytes)) batch_ = std::make_unique<Buffer>(bytes);
  pieces_.clear();
  begun_ = -1;
  for (size_t i = 0; i < columns.size(); ++i)
    if (!lies_ready(columns[i]) && reads(i) && columns[i].layout == Column::Layout::dense)
      pieces_.add(columns[i], batch_offset_[i]);
  const bool ahead = !where_ && !pieces_.empty() && gathers_ahead(bytes) && length_ > batch_size_;
  if (!ahead)
    spare_.reset();
  else if (!spare_ || spare_->bytes() < batch_->bytes())
    spare_ = std::make_unique<Buffer>(batch_->bytes());
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

void Session::begin_pieces(int64_t position, Buffer& to) {
  const int64_t rows = rows_at(position);
  pieces_.stop();
  if (listed_)
    pieces_.begin(begin_, rows_.order().data() + position, rows, to.data());
  else
    pieces_.begin(begin_ + position, nullptr, rows, to.data());
}

/// Points inputs_ at the next `rows` rows.
void Session::load(int64_t rows) {
  const std::vector<Column>& columns = dataset_->columns();
  if (!pieces_.empty()) {
    if (begun_ != position_)
      begin_pieces(position_, *batch_);
    else
      std::swap(batch_, spare_);
    pieces_.finish();
    begun_ = -1;
  }
  std::byte* const batch = batch_ ? batch_->data() : nullptr;
  BatchGatherer gather = gatherer(position_, rows);
  for (size_t i = 0; i < columns.size(); ++i) {
    const Column& column = columns[i];
    if (lies_ready(column)) {
      inputs_[i] = column.row(begin_ + position_);
      continue;
    }
    if (!reads(i)) continue;
    std::byte* const to = batch + batch_offset_[i];
    if (column.layout != Column::Layout::dense)
      gather(column, column.layout == Column::Layout::starts ? room_of(entry_of(rows), i + 1) : 0, to);
    inputs_[i] = to;
  }
  if (!where_ || !batch) return;
  const std::byte* const there = batch_->read(where_);
  for (size_t i = 0; i < columns.size(); ++i)
    if (inputs_[i]) inputs_[i] = there + batch_offset_[i];
}

/// Lets threads that wait gather the batch that begins there, while the one before runs.
void Session::gather_ahead(int64_t position) {
  if (!spare_ || position >= length_) return;
  begin_pieces(position, *spare_);
  begun_ = position;
  pieces_.offer();
}

/// Rows gathered ahead do not outlast a stretch: between two, no thread is at the data, and both may be replaced.
void Session::forget_ahead() {
  pieces_.stop();
  begun_ = -1;
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

}  // namespace downhill
