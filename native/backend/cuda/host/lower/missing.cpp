// Until matmul has its commands.
#include "backend/cuda/host/lower.h"

namespace downhill::cuda {

__attribute__((weak)) void lower_matmul(Lowering&) {
  throw Error(code::kUnsupported, "This device has no matmul yet.");
}

}  // namespace downhill::cuda
