#include "training/locks.h"

#include <algorithm>
#include <functional>
#include <mutex>

namespace downhill {

namespace {

bool holds(const std::vector<std::shared_ptr<Buffer>>& buffers, const std::shared_ptr<Buffer>& buffer) {
  return std::find(buffers.begin(), buffers.end(), buffer) != buffers.end();
}

}  // namespace

Access access_of(const Plan& plan) {
  Access access;
  const auto writes = [&](int value) {
    const std::shared_ptr<Storage>& storage = plan.values[static_cast<size_t>(value)].storage;
    if (storage && !holds(access.writes, storage->buffer)) access.writes.push_back(storage->buffer);
  };
  for (const Step& step : plan.steps)
    for (int output : step.outputs()) writes(output);
  for (const StateWrite& write : plan.writes) writes(write.to);
  for (const std::shared_ptr<Storage>& variable : plan.variables)
    if (!holds(access.writes, variable->buffer) && !holds(access.reads, variable->buffer))
      access.reads.push_back(variable->buffer);
  return access;
}

void LockSet::add(const std::shared_ptr<Buffer>& buffer, bool alone) {
  const auto before = [](const Item& item, const Buffer* address) { return std::less<>()(item.buffer.get(), address); };
  const auto at = std::lower_bound(items_.begin(), items_.end(), buffer.get(), before);
  if (at != items_.end() && at->buffer == buffer)
    at->alone = at->alone || alone;
  else
    items_.insert(at, Item{buffer, alone});
}

void LockSet::share(const std::vector<std::shared_ptr<Buffer>>& buffers) {
  for (const auto& buffer : buffers) add(buffer, false);
}

void LockSet::own(const std::vector<std::shared_ptr<Buffer>>& buffers) {
  for (const auto& buffer : buffers) add(buffer, true);
}

void LockSet::lock(const Buffer* except) const {
  for (const Item& item : items_) {
    if (item.buffer.get() == except) continue;
    if (item.alone)
      item.buffer->guard.lock();
    else
      item.buffer->guard.lock_shared();
  }
}

bool LockSet::free() const {
  return std::all_of(items_.begin(), items_.end(), [](const Item& item) {
    std::shared_mutex& guard = item.buffer->guard;
    return item.alone ? std::unique_lock<std::shared_mutex>(guard, std::try_to_lock).owns_lock()
                      : std::shared_lock<std::shared_mutex>(guard, std::try_to_lock).owns_lock();
  });
}

void LockSet::unlock(const Buffer* except) const {
  for (auto item = items_.rbegin(); item != items_.rend(); ++item) {
    if (item->buffer.get() == except) continue;
    if (item->alone) {
      item->buffer->version.fetch_add(1, std::memory_order_release);
      item->buffer->guard.unlock();
    } else {
      item->buffer->guard.unlock_shared();
    }
  }
}

}  // namespace downhill
