#include "backend/backend.h"

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

std::byte* Workspace::reserve(size_t bytes, DeviceMemory* where) {
  if (!buffer_ || buffer_->bytes() < bytes || where_ != where) {
    buffer_.reset();  // first, so that both are never held at once
    buffer_ = std::make_unique<Buffer>(bytes, where);
    where_ = where;
  }
  return buffer_->overwrite(where);
}

}  // namespace downhill
