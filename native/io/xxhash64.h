// XXH64 (Yann Collet, github.com/Cyan4973/xxHash, doc/xxhash_spec.md): a checksum as fast as memory.
#pragma once
#include <cstddef>
#include <cstdint>

namespace downhill {

/// Streaming: any cuts of the same bytes give the same digest. Little-endian machines.
class XxHash64 {
 public:
  explicit XxHash64(uint64_t seed = 0);
  void add(const void* data, size_t bytes);
  uint64_t digest() const;

 private:
  uint64_t lanes_[4];
  const uint64_t seed_;
  uint64_t total_ = 0;
  unsigned char tail_[32];
  size_t held_ = 0;  // bytes in tail_
};

}  // namespace downhill
