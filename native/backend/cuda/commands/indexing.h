// Commands of this family; made by host/lower/indexing.cpp, launched by kernels/indexing.cu.
#pragma once
#include <cstdint>

namespace downhill::cuda {

struct CheckIndicesArgs {};
struct GatherArgs {};
struct ScatterAddArgs {};
struct OneHotArgs {};

}  // namespace downhill::cuda
