// Reductions over any set of axes as passes over three-dimensional arrays.
#pragma once
#include <cstdint>
#include <vector>

#include "core/shape.h"

namespace downhill {

/// y (outer, inner) = reduction of x (outer, n, inner) along n.
struct ReducePass {
  int64_t outer = 1, n = 1, inner = 1;
};

/// The passes that take away the reduced axes, innermost first: axes that lie together become one, sets that do not are
/// reduced one after the other. At least one pass.
std::vector<ReducePass> reduce_passes(const Shape& shape, const std::vector<int64_t>& axes);

}  // namespace downhill
