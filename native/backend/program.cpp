#include "backend/device.h"

namespace downhill {

const char* name_of(Precision precision) {
  switch (precision) {
    case Precision::tf32:
      return "tf32";
    case Precision::bfloat16:
      return "bfloat16";
    default:
      return "float32";
  }
}

std::string describe(const Program& program) {
  const Precision asked = program.precision(), products = program.products();
  std::string text = describe(program.plan());
  if (asked == Precision::float32) return text;
  text += std::string("matrix products: ") + name_of(products);
  if (asked != products) text += std::string(" (") + name_of(asked) + " is not known to be faster on this processor)";
  return text + "\n";
}

void Program::profile(const Bindings&, double*) {
  throw Error(code::kUnsupported, "Profiles are made on the CPU only: on \"" + device().id() +
                                      "\" steps run one behind the other without the host. Use the tools of the "
                                      "device (nsys profile node …), or a model on the CPU.");
}

}  // namespace downhill
