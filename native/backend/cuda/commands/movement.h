// Commands of this family; made by host/lower/movement.cpp, launched by kernels/movement.cu.
#pragma once
#include <cstdint>

namespace downhill::cuda {

struct CopyArgs {};
struct FillArgs {};
struct CastArgs {};
struct DropoutArgs {};

}  // namespace downhill::cuda
