// How a launch ends that broke a rule, and what is said about it.
#pragma once
#include <string>

#include "backend/cuda/simt/state.h"

namespace downhill::cuda::simt {

bool same(Site a, Site b);
const char* base_name(const char* path);
std::string text_of(dim3 size);
std::string text_of(uint3 index);
std::string launched_by(const Launch& launch);

/// From a thread that finds all others waiting too.
[[noreturn]] void end_stuck_launch();

/// Of the launch that failed.
std::string describe_failure();

}  // namespace downhill::cuda::simt
