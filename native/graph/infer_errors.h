// What shape rules say.
#pragma once
#include <string>
#include <vector>

#include "graph/graph.h"

namespace downhill {

using Inputs = std::vector<const Node*>;

/// SHAPE_MISMATCH: the op, what it expected, the shapes that it received.
[[noreturn]] void mismatch(Op op, const std::string& expected, const Inputs& inputs);
/// INVALID_ARGUMENT
[[noreturn]] void invalid(Op op, const std::string& message);

}  // namespace downhill
