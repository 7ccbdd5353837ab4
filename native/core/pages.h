// Large blocks of memory, straight from the system and in huge pages where it has them: a pass over a model in pages of
// 4 KiB spends a fifth of its time on looking them up.
#pragma once
#include <cstddef>

namespace downhill::pages {

/// Blocks of at least this size, that of a huge page, come from map().
inline constexpr size_t kLeast = size_t{2} << 20;  // bytes

/// Zeros, aligned to kLeast, but for 64 under an address sanitizer. Nothing beyond `bytes` becomes resident.
/// Null: there is none.
std::byte* map(size_t bytes);
/// Memory from map(), of the same size.
void unmap(std::byte* memory, size_t bytes) noexcept;

}  // namespace downhill::pages
