#include "backend/device.h"

namespace downhill {

void Program::profile(const Bindings&, double*) {
  throw Error(code::kUnsupported, "Profiles are made on the CPU only: on \"" + device().id() +
                                      "\" steps run one behind the other without the host. Use the tools of the "
                                      "device (nsys profile node …), or a model on the CPU.");
}

}  // namespace downhill
