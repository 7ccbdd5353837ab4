#include "backend/backend.h"

namespace downhill {

std::byte* Workspace::reserve(size_t bytes, DeviceMemory* where) {
  if (!buffer_ || buffer_->bytes() < bytes || where_ != where) {
    buffer_.reset();  // first, so that both are never held at once
    buffer_ = std::make_unique<Buffer>(bytes, where);
    where_ = where;
  }
  return buffer_->overwrite(where);
}

}  // namespace downhill
