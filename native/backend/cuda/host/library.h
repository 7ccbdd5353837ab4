// The libraries with the kernels, opened from beside the addon when a device of theirs is first asked for.
#pragma once
#include <string>

#include "backend/cuda/api.h"

namespace downhill::cuda {

/// The table of libdownhill_<kind>.so; kind: "cuda" or "simt". Throws DEVICE_UNAVAILABLE with the reason and what to
/// do. Once opened, a library stays.
const DhCudaApi& library(const std::string& kind);

}  // namespace downhill::cuda
