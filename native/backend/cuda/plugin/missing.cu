// Stands in for the launchers of commands whose kernels are not written yet; a kernel file's own definition wins.
#include <string>

#include "backend/cuda/plugin/failure.h"
#include "backend/cuda/plugin/launchers.h"
#include "core/error.h"

namespace downhill::cuda {

#define COMMAND(name, arguments)                                                            \
  __attribute__((weak)) void launch_##name(const arguments&, Stream) {                      \
    throw Failure(code::kUnsupported, "This library has no kernel for command " #name "."); \
  }
#include "backend/cuda/commands.def"

}  // namespace downhill::cuda
