// Commands of this family; made by host/lower/update.cpp, launched by kernels/update.cu.
#pragma once
#include <cstdint>

namespace downhill::cuda {

struct GradientNormsArgs {};
struct ClipFactorsArgs {};
struct UpdateArgs {};

}  // namespace downhill::cuda
