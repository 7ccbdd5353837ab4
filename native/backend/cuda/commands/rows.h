// Commands of this family; made by host/lower/rows.cpp, launched by kernels/rows.cu.
#pragma once
#include <cstdint>

namespace downhill::cuda {

struct RowsArgs {};

}  // namespace downhill::cuda
