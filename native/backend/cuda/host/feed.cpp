#include "backend/cuda/host/feed.h"

#include <algorithm>

#include "data/gather.h"

namespace downhill::cuda {

namespace {

constexpr int kMaxSteps = 512;                   // of a launch over data on the device
constexpr size_t kSideBytes = size_t{32} << 20;  // of the batches of one launch otherwise, at most
constexpr double kShare = 0.6;                   // of free memory that a data set may take
constexpr uint64_t kSideShare = 16;              // of free memory, one part: each batch size has two sides of its own

size_t padded(size_t bytes) { return (bytes + 255) / 256 * 256; }

/// Bytes that may still be asked for.
uint64_t room_on(CudaDevice& device) {
  uint64_t free = 0, total = 0;
  device.call(device.api().memory, device.context(), &free, &total);
  const Allocator::Usage usage = device.memory()->usage();
  free += usage.kept_bytes;
  return usage.limit == 0 ? free : std::min(free, usage.limit - std::min(usage.limit, usage.bytes));
}

}  // namespace

Feed::Feed(CudaDevice& device, const StepLoopOptions& options)
    : device_(device), memory_(device.memory()), options_(options), max_steps_(kMaxSteps) {
  size_t missing = 0;  // of the data set on the device
  size_t step_bytes = 0;
  const std::vector<Column>& columns = options_.dataset->columns();
  for (size_t i = 0; i < columns.size(); ++i) {
    if (!options_.reads(i)) continue;
    if (!columns[i].storage.buffer->is_in(memory_)) missing += columns[i].storage.buffer->bytes();
    step_bytes += padded(batch_bytes(i));
  }
  const uint64_t room = room_on(device);
  resident_ = missing == 0 || static_cast<double>(missing) <= kShare * static_cast<double>(room);
  if (resident_) return;
  const size_t side_bytes = std::min(kSideBytes, static_cast<size_t>(room / kSideShare));
  const int64_t epoch_steps = std::clamp<int64_t>(options_.rows / std::max<int64_t>(options_.batch, 1), 1, kMaxSteps);
  max_steps_ = static_cast<int>(
      std::clamp<size_t>(side_bytes / std::max<size_t>(step_bytes, 1), 1, static_cast<size_t>(epoch_steps)));
  size_t bytes = 0;
  for (size_t i = 0; i < columns.size(); ++i) {
    offset_.push_back(bytes);
    bytes += padded(static_cast<size_t>(max_steps_) * batch_bytes(i));
  }
  for (Side& side : sides_) {
    side.host = std::make_unique<PinnedMemory>(device, std::max<size_t>(bytes, 1));
    side.device = std::make_unique<Buffer>(bytes, memory_);
  }
  ahead_ = std::make_unique<CudaStream>(device);
}

size_t Feed::batch_bytes(size_t i) const {
  return static_cast<size_t>(options_.elements(i)) * size_of(options_.dataset->columns()[i].dtype);
}

void Feed::gather_rows(Side& side, int64_t position, int steps, CudaStream& stream) {
  const std::vector<Column>& columns = options_.dataset->columns();
  const auto* const order = options_.order ? reinterpret_cast<const uint32_t*>(options_.order->read(nullptr)) : nullptr;
  std::byte* const there = side.device->overwrite(memory_);
  for (int step = 0; step < steps; ++step) {
    const int64_t first = position + step * options_.batch;
    BatchGatherer gather(options_.begin + (order ? 0 : first), order ? order + first : nullptr, options_.batch);
    for (size_t i = 0; i < columns.size(); ++i) {
      if (!options_.reads(i)) continue;
      const int64_t room = columns[i].layout == Column::Layout::starts ? options_.elements(i + 1) : 0;
      gather(columns[i], room, side.host->data() + offset_[i] + static_cast<size_t>(step) * batch_bytes(i));
    }
  }
  for (size_t i = 0; i < columns.size(); ++i)
    if (options_.reads(i))
      stream.upload(there + offset_[i], side.host->data() + offset_[i], static_cast<size_t>(steps) * batch_bytes(i));
  side.position = position;
  side.steps = steps;
}

void Feed::load(const StepLoop::Launch& launch, int steps, CudaStream& stream) {
  if (resident_) return;
  Side& ahead = sides_[1 - side_];
  if (ahead.position == launch.position && ahead.steps >= steps) {
    side_ = 1 - side_;
    return;
  }
  gather_rows(sides_[side_], launch.position, steps, stream);
}

void Feed::load_ahead(int64_t position, int steps) {
  if (resident_) return;
  Side& next = sides_[1 - side_];
  next.position = -1;
  const int64_t left = (options_.rows - position) / options_.batch;
  if (left <= 0) return;
  gather_rows(next, position, static_cast<int>(std::min<int64_t>(left, steps)), *ahead_);
  ahead_->synchronize();
}

const void* Feed::column(size_t i) const {
  if (!options_.reads(i)) return nullptr;
  if (resident_) return options_.dataset->columns()[i].storage.read(memory_);
  return sides_[side_].device->read(memory_) + offset_[i];
}

Element Feed::element(size_t i) const {
  const Column& column = options_.dataset->columns()[i];
  return resident_ ? column.element : element_of(column.dtype);
}

const uint32_t* Feed::order() const {
  if (!resident_ || !options_.order) return nullptr;
  return reinterpret_cast<const uint32_t*>(options_.order->read(memory_));
}

}  // namespace downhill::cuda
