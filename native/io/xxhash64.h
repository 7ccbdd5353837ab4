// XXH64, a checksum of 64 bits, from its published description (github.com/Cyan4973/xxHash, doc/xxhash_spec.md).
#pragma once
#include <array>
#include <cstddef>
#include <cstdint>

namespace downhill {

class XxHash64 {
 public:
  explicit XxHash64(uint64_t seed = 0);
  void update(const void* data, size_t bytes);
  /// Of all bytes so far; more may follow.
  uint64_t digest() const;

 private:
  static constexpr size_t kStripe = 32;  // bytes
  uint64_t seed_;
  std::array<uint64_t, 4> lanes_;
  uint64_t total_ = 0;                         // bytes
  std::array<unsigned char, kStripe> rest_{};  // the first total_ % kStripe are waiting for a whole stripe
};

}  // namespace downhill
