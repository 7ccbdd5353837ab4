// The functions that launch the kernels of a command, kernels/<family>.cu.
#pragma once
#include "backend/cuda/commands.h"
#include "backend/cuda/device/platform.cuh"

namespace downhill::cuda {

#define COMMAND(name, arguments) void launch_##name(const arguments& args, Stream stream);
#include "backend/cuda/commands.def"

/// Puts one command on a stream.
void launch_command(const DhCommand& command, Stream stream);

}  // namespace downhill::cuda
