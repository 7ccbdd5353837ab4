#include "backend/cuda/simt/memory.h"

#include <cstdint>
#include <cstdlib>
#include <cstring>
#include <map>
#include <mutex>
#include <new>

#include "backend/cuda/simt/sanitizers.h"

namespace downhill::cuda::simt {

namespace {

constexpr size_t kAlignment = 256;
#if DH_SIMT_ASAN
constexpr size_t kBefore = 0, kAfter = 0;
#else
constexpr size_t kBefore = kAlignment, kAfter = kGuard;
#endif

struct Allocations {
  std::mutex mutex;
  std::map<unsigned char*, size_t> bytes;
};
Allocations& allocations() {
  static auto& all = *new Allocations;
  return all;
}

unsigned char guard_byte(size_t i) { return static_cast<unsigned char>(0xa5 ^ (i * 29)); }

}  // namespace

void set_guard(unsigned char* at) {
  for (size_t i = 0; i < kGuard; ++i) at[i] = guard_byte(i);
}

bool guard_intact(const unsigned char* at) {
  for (size_t i = 0; i < kGuard; ++i) {
    if (at[i] != guard_byte(i)) return false;
  }
  return true;
}

void* allocate(size_t bytes) {
  if (bytes > SIZE_MAX - kBefore - kAfter) throw std::bad_alloc();
  void* memory = nullptr;
  if (posix_memalign(&memory, kAlignment, kBefore + bytes + kAfter) != 0) throw std::bad_alloc();
  auto* begin = static_cast<unsigned char*>(memory) + kBefore;
  std::memset(begin, 0xff, bytes);
  if (kAfter > 0) {
    set_guard(begin - kGuard);
    set_guard(begin + bytes);
  }
  std::lock_guard lock(allocations().mutex);
  allocations().bytes[begin] = bytes;
  return begin;
}

void release(void* memory) noexcept {
  if (!memory) return;
  auto* begin = static_cast<unsigned char*>(memory);
  {
    std::lock_guard lock(allocations().mutex);
    allocations().bytes.erase(begin);
  }
  std::free(begin - kBefore);
}

std::string damaged_guards() {
  if (kAfter == 0) return "";
  std::string result;
  std::lock_guard lock(allocations().mutex);
  for (const auto& [begin, bytes] : allocations().bytes) {
    const bool before = !guard_intact(begin - kGuard), after = !guard_intact(begin + bytes);
    if (!before && !after) continue;
    set_guard(begin - kGuard);
    set_guard(begin + bytes);
    if (result.empty()) {
      result = std::string("bytes ") + (before ? "before" : "behind") + " an allocation of " + std::to_string(bytes) +
               " bytes were written";
    }
  }
  return result;
}

}  // namespace downhill::cuda::simt
