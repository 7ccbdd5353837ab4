#include "core/host_blocks.h"

#include <cstdint>
#include <cstdlib>
#include <cstring>
#include <mutex>

#include "core/pages.h"

namespace downhill::host_blocks {
namespace {

constexpr size_t kAlignment = 64;
constexpr size_t kLeast = size_t{128} << 10;  // smaller ones are reused by malloc
constexpr uint64_t kPatience = 64;            // calls after which a block that nobody took goes back
constexpr int kSlots = 8;

struct Slot {
  std::byte* memory;
  size_t bytes;
  uint64_t since;
};

std::mutex guard;
Slot slots[kSlots];
size_t total = 0;
uint64_t calls = 0;

void drop(std::byte* memory, size_t bytes) {
  if (bytes < pages::kLeast)
    std::free(memory);
  else
    pages::unmap(memory, bytes);
}

void release(Slot& slot) {
  total -= slot.bytes;
  drop(slot.memory, slot.bytes);
  slot = {};
}

Slot& oldest() {
  Slot* found = nullptr;
  for (Slot& slot : slots)
    if (slot.memory && (!found || slot.since < found->since)) found = &slot;
  return *found;
}

Slot* empty_slot() {
  for (Slot& slot : slots)
    if (!slot.memory) return &slot;
  return nullptr;
}

std::byte* take_kept(size_t bytes) {
  const std::lock_guard<std::mutex> lock(guard);
  ++calls;
  for (Slot& slot : slots) {
    if (!slot.memory || slot.bytes != bytes) continue;
    std::byte* const memory = slot.memory;
    total -= bytes;
    slot = {};
    return memory;
  }
  return nullptr;
}

std::byte* allocate(size_t bytes, bool zeroed) {
  if (bytes >= pages::kLeast) return pages::map(bytes);
  void* memory = nullptr;
  if (posix_memalign(&memory, kAlignment, bytes) != 0) return nullptr;
  if (zeroed) std::memset(memory, 0, bytes);
  return static_cast<std::byte*>(memory);
}

}  // namespace

std::byte* take(size_t bytes, bool zeroed) {
  if (std::byte* const kept = bytes >= kLeast ? take_kept(bytes) : nullptr) {
    if (zeroed) std::memset(kept, 0, bytes);
    return kept;
  }
  if (std::byte* const memory = allocate(bytes, zeroed)) return memory;
  {
    const std::lock_guard<std::mutex> lock(guard);
    for (Slot& slot : slots)
      if (slot.memory) release(slot);
  }
  return allocate(bytes, zeroed);
}

void give(std::byte* memory, size_t bytes) noexcept {
  if (!memory) return;
  if (bytes < kLeast || bytes > kMostKept) return drop(memory, bytes);
  const std::lock_guard<std::mutex> lock(guard);
  ++calls;
  for (Slot& slot : slots)
    if (slot.memory && calls - slot.since > kPatience) release(slot);
  while (total + bytes > kMostKept || !empty_slot()) release(oldest());
  *empty_slot() = {memory, bytes, calls};
  total += bytes;
}

size_t kept() {
  const std::lock_guard<std::mutex> lock(guard);
  return total;
}

}  // namespace downhill::host_blocks
