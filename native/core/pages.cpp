#include "core/pages.h"

#include <cstdint>
#include <cstdlib>
#include <cstring>

#if defined(__unix__) || defined(__APPLE__)
#include <sys/mman.h>
#include <unistd.h>
#endif

#if defined(__SANITIZE_ADDRESS__)
#define DH_WATCHED 1
#elif defined(__has_feature)
#if __has_feature(address_sanitizer)
#define DH_WATCHED 1
#endif
#endif

namespace downhill::pages {

#if defined(MAP_ANONYMOUS) && !defined(DH_WATCHED)

namespace {

size_t whole_pages(size_t bytes) {
  static const auto page = static_cast<size_t>(sysconf(_SC_PAGESIZE));
  return (bytes + page - 1) / page * page;
}

}  // namespace

std::byte* map(size_t bytes) {
  if (bytes > SIZE_MAX / 2) return nullptr;
  const size_t size = whole_pages(bytes), reserved = size + kLeast;
  void* const all = mmap(nullptr, reserved, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
  if (all == MAP_FAILED) return nullptr;
  const size_t before = (kLeast - reinterpret_cast<uintptr_t>(all) % kLeast) % kLeast;
  auto* const memory = static_cast<std::byte*>(all) + before;
  if (before > 0) munmap(all, before);
  munmap(memory + size, kLeast - before);
#ifdef MADV_HUGEPAGE
  madvise(memory, bytes / kLeast * kLeast, MADV_HUGEPAGE);  // a wish: small pages do as well
#endif
  return memory;
}

void unmap(std::byte* memory, size_t bytes) noexcept { munmap(memory, whole_pages(bytes)); }

#else  // address sanitizers watch malloc's

std::byte* map(size_t bytes) {
  if (bytes > SIZE_MAX / 2) return nullptr;
  void* memory = nullptr;
  if (posix_memalign(&memory, 64, bytes) != 0) return nullptr;
  std::memset(memory, 0, bytes);
  return static_cast<std::byte*>(memory);
}

void unmap(std::byte* memory, size_t) noexcept { std::free(memory); }

#endif

}  // namespace downhill::pages
