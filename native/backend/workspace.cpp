#include "backend/backend.h"

namespace downhill {

std::byte* Workspace::reserve(size_t bytes) {
  if (!buffer_ || buffer_->bytes() < bytes) {
    buffer_.reset();  // first, so that both are never held at once
    buffer_ = std::make_unique<Buffer>(bytes);
  }
  return buffer_->data();
}

}  // namespace downhill
