#include "training/snapshot.h"

#include <atomic>
#include <mutex>
#include <shared_mutex>
#include <unordered_map>
#include <utility>

namespace downhill {

namespace {

struct Entry {
  int marks = 0;
  std::shared_ptr<Snapshot> latest;
};

struct Registry {
  std::mutex mutex;
  std::unordered_map<const Buffer*, Entry> entries;
  std::atomic<int64_t> marks{0};  // lets readers pass without the mutex while nothing trains
};

/// Never destroyed: training threads may still run while the process exits.
Registry& registry() {
  static Registry* const instance = new Registry;
  return *instance;
}

/// A reader's hold. Its release pairs with the look at `readers`; the count of a shared_ptr gives no such order.
std::shared_ptr<const Snapshot> held(const std::shared_ptr<Snapshot>& snapshot) {
  snapshot->readers.fetch_add(1, std::memory_order_relaxed);
  return {snapshot.get(), [snapshot](const Snapshot*) { snapshot->readers.fetch_sub(1, std::memory_order_release); }};
}

}  // namespace

TrainingMark::TrainingMark(std::vector<std::shared_ptr<Buffer>> buffers) : buffers_(std::move(buffers)) {
  Registry& all = registry();
  const std::lock_guard<std::mutex> lock(all.mutex);
  for (const auto& buffer : buffers_) ++all.entries[buffer.get()].marks;
  all.marks.fetch_add(1, std::memory_order_release);
}

TrainingMark::~TrainingMark() {
  Registry& all = registry();
  std::vector<std::shared_ptr<const Snapshot>> released;  // freed outside the lock
  const std::lock_guard<std::mutex> lock(all.mutex);
  for (const auto& buffer : buffers_) {
    const auto entry = all.entries.find(buffer.get());
    if (--entry->second.marks > 0) continue;
    released.push_back(std::move(entry->second.latest));
    all.entries.erase(entry);
  }
  all.marks.fetch_sub(1, std::memory_order_release);
}

bool is_training(const Buffer& buffer) {
  Registry& all = registry();
  if (all.marks.load(std::memory_order_acquire) == 0) return false;
  const std::lock_guard<std::mutex> lock(all.mutex);
  return all.entries.count(&buffer) != 0;
}

bool anything_trains() { return registry().marks.load(std::memory_order_acquire) > 0; }

std::shared_ptr<const Snapshot> snapshot_if_training(const std::shared_ptr<Buffer>& buffer) {
  Registry& all = registry();
  if (all.marks.load(std::memory_order_acquire) == 0) return nullptr;
  std::shared_ptr<Snapshot> snapshot;
  {
    const std::lock_guard<std::mutex> lock(all.mutex);
    const auto entry = all.entries.find(buffer.get());
    if (entry == all.entries.end()) return nullptr;
    const auto& latest = entry->second.latest;
    if (latest && latest->version == buffer->version.load(std::memory_order_acquire)) return held(latest);
    if (latest && latest->readers.load(std::memory_order_acquire) == 0 && latest->copy.home() == buffer->home())
      snapshot =
          std::exchange(entry->second.latest, nullptr);  // nobody reads the old copy: the new one takes its place
  }
  if (!snapshot) snapshot = std::make_shared<Snapshot>(buffer, buffer->home());  // allocated before the lock is held
  {
    const std::shared_lock<std::shared_mutex> lock(buffer->guard);
    snapshot->version = buffer->version.load(std::memory_order_acquire);
    copy_contents(*buffer, snapshot->copy);
  }
  std::shared_ptr<Snapshot> previous;  // freed outside the lock
  const std::lock_guard<std::mutex> lock(all.mutex);
  const auto entry = all.entries.find(buffer.get());
  if (entry != all.entries.end()) previous = std::exchange(entry->second.latest, snapshot);
  return held(snapshot);
}

std::shared_ptr<const Snapshot> snapshot_if_training(const std::vector<std::shared_ptr<Buffer>>& buffers) {
  const std::shared_ptr<Buffer>* found = nullptr;
  for (const auto& buffer : buffers) {
    if (!is_training(*buffer)) continue;
    if (found) return nullptr;
    found = &buffer;
  }
  return found ? snapshot_if_training(*found) : nullptr;
}

}  // namespace downhill
