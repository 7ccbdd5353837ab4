// Commands of this family; made by host/lower/elementwise.cpp, launched by kernels/elementwise.cu.
#pragma once
#include <cstdint>

namespace downhill::cuda {

struct ElementwiseArgs {};

}  // namespace downhill::cuda
