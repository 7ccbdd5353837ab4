// Device memory of the emulator: the host's, with guards on both sides that are checked after every launch (a build
// with AddressSanitizer has its red zones there instead).
#pragma once
#include <cstddef>
#include <string>

namespace downhill::cuda::simt {

/// Aligned to 256, filled with 0xff. Throws std::bad_alloc.
void* allocate(size_t bytes);
/// Of allocate, or null.
void release(void* memory) noexcept;

/// Which guard was written over, or "". Repairs it, so that each is told once.
std::string damaged_guards();

/// Bytes with a known pattern beside a piece of memory.
constexpr size_t kGuard = 64;
void set_guard(unsigned char* at);
bool guard_intact(const unsigned char* at);

}  // namespace downhill::cuda::simt
