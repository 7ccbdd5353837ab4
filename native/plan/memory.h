// Liveness, and one arena for all intermediate values.
#pragma once
#include "plan/plan.h"

namespace downhill {

/// Gives every arena value its offset; values share memory when their lifetimes do not overlap. An elementwise step
/// or a chain of them writes over operands that die there. Returns the size of the arena in bytes.
size_t assign_offsets(Plan& plan);

}  // namespace downhill
