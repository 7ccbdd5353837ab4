#include "addon/boxes.h"

#include <algorithm>
#include <cstdint>
#include <new>
#include <vector>

namespace downhill::addon::boxes {

namespace {

constexpr size_t kSlab = size_t{1} << 18;  // bytes; a slab begins at a multiple of them

struct Free {
  const void* kind;  // null: as of a box of no kind
  Free* next;
};

/// At the beginning of its boxes.
struct Slab {
  Free* free = nullptr;
  Slab* next = nullptr;          // that has room, too
  uint32_t begun = 0, used = 0;  // boxes that were ever taken; that are

  static constexpr size_t kFirst = (sizeof(Free*) + sizeof(Slab*) + 8 + kBytes - 1) / kBytes;
  static constexpr uint32_t kBoxes = kSlab / kBytes - kFirst;

  std::byte* at(size_t index) { return reinterpret_cast<std::byte*>(this) + (kFirst + index) * kBytes; }
  bool full() const { return !free && begun == kBoxes; }
};
static_assert(sizeof(Slab) <= Slab::kFirst * kBytes && sizeof(Free) <= kBytes);

Slab* slab_of(const void* box) { return reinterpret_cast<Slab*>(reinterpret_cast<uintptr_t>(box) & ~(kSlab - 1)); }

struct Slabs {
  std::vector<Slab*> all;  // ascending
  Slab* open = nullptr;    // with room
  Slab* last = nullptr;    // that was found

  bool has(Slab* slab) {
    if (last && slab == last) return true;
    if (!std::binary_search(all.begin(), all.end(), slab)) return false;
    last = slab;
    return true;
  }

  void add() {
    Slab* const slab = new (::operator new(kSlab, std::align_val_t{kSlab})) Slab;
    all.insert(std::upper_bound(all.begin(), all.end(), slab), slab);
    open = slab;
  }

  void remove(Slab* slab) {
    all.erase(std::lower_bound(all.begin(), all.end(), slab));
    if (last == slab) last = nullptr;
    for (Slab** link = &open; *link; link = &(*link)->next)
      if (*link == slab) {
        *link = slab->next;
        break;
      }
    ::operator delete(slab, std::align_val_t{kSlab});
  }
};

/// Of this thread, as long as it has boxes. Not destroyed with the thread: what is finalized even later finds it.
thread_local Slabs* slabs = nullptr;

}  // namespace

void* take() {
  if (!slabs) slabs = new Slabs;
  if (!slabs->open) slabs->add();
  Slab& slab = *slabs->open;
  void* const box = slab.free ? static_cast<void*>(slab.free) : slab.at(slab.begun++);
  if (slab.free) slab.free = slab.free->next;
  ++slab.used;
  if (slab.full()) slabs->open = slab.next, slab.next = nullptr;
  return box;
}

void give(void* box) noexcept {
  Slab& slab = *slab_of(box);
  const bool full = slab.full();
  slab.free = new (box) Free{nullptr, slab.free};
  if (full) slab.next = slabs->open, slabs->open = &slab;
  if (--slab.used > 0) return;
  slabs->remove(&slab);
  if (!slabs->all.empty()) return;
  delete slabs;
  slabs = nullptr;
}

bool holds(const void* box) noexcept {
  Slab* const slab = slab_of(box);
  if (!slabs || !slabs->has(slab)) return false;
  const auto offset = static_cast<size_t>(static_cast<const std::byte*>(box) - slab->at(0));
  return offset % kBytes == 0 && offset / kBytes < slab->begun;
}

}  // namespace downhill::addon::boxes
