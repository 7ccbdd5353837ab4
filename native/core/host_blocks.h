// Host memory of buffers. A few large blocks that were freed lately are kept for the next buffer of their size: memory
// fresh from the system costs a page fault every 4 KiB, which results of ops would pay again and again.
#pragma once
#include <cstddef>

namespace downhill::host_blocks {

inline constexpr size_t kMostKept = size_t{32} << 20;  // bytes

/// Memory of `bytes`, aligned to 64; zeroed: filled with zeros. Null: there is none.
std::byte* take(size_t bytes, bool zeroed);
/// Memory from take(), of the same size.
void give(std::byte* memory, size_t bytes) noexcept;
/// Bytes of blocks that are kept.
size_t kept();

}  // namespace downhill::host_blocks
