#include "backend/cuda/host/call.h"

#include <cstring>

namespace downhill::cuda {

Error error_of(const DhError& error) {
  // Error keeps a pointer to a literal.
  for (const char* known : {code::kOutOfMemory, code::kDeviceLost, code::kDeviceUnavailable, code::kUnsupported})
    if (std::strcmp(known, error.code) == 0) return Error(known, error.message);
  return Error(code::kInternal, error.message);
}

}  // namespace downhill::cuda
