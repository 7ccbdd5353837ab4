// Commands of this family; made by host/lower/reduce.cpp, launched by kernels/reduce.cu.
#pragma once
#include <cstdint>

namespace downhill::cuda {

struct ReduceArgs {};
struct ArgmaxArgs {};

}  // namespace downhill::cuda
