// Memory of what handles point to. An external may be another addon's: what it points to is read only if it lies here.
#pragma once
#include <cstddef>

namespace downhill::addon::boxes {

inline constexpr size_t kBytes = 32;  // of a box

/// Room for a box, for this thread: handles are made, used and finalized on that of their environment.
void* take();
void give(void* box) noexcept;
/// Whether take() gave it to this thread, and give() did not get it back.
bool holds(const void* box) noexcept;

}  // namespace downhill::addon::boxes
