// Commands of this family; made by host/lower/matmul.cpp, launched by kernels/matmul.cu.
#pragma once
#include <cstdint>

namespace downhill::cuda {

struct MatmulArgs {};

}  // namespace downhill::cuda
