#include "io/xxhash64.h"

#include <algorithm>
#include <cstring>

namespace downhill {

namespace {

constexpr uint64_t k1 = 0x9E3779B185EBCA87u, k2 = 0xC2B2AE3D27D4EB4Fu, k3 = 0x165667B19E3779F9u,
                   k4 = 0x85EBCA77C2B2AE63u, k5 = 0x27D4EB2F165667C5u;

uint64_t rotate(uint64_t x, int bits) { return x << bits | x >> (64 - bits); }
uint64_t round(uint64_t lane, uint64_t input) { return rotate(lane + input * k2, 31) * k1; }

template <typename T>
T word(const unsigned char* at) {
  T value;
  std::memcpy(&value, at, sizeof value);
  return value;
}

void stripe(uint64_t (&lanes)[4], const unsigned char* at) {
  for (int i = 0; i < 4; ++i) lanes[i] = round(lanes[i], word<uint64_t>(at + 8 * i));
}

}  // namespace

XxHash64::XxHash64(uint64_t seed) : lanes_{seed + k1 + k2, seed + k2, seed, seed - k1}, seed_(seed) {}

void XxHash64::add(const void* data, size_t bytes) {
  auto* at = static_cast<const unsigned char*>(data);
  total_ += bytes;
  if (held_ > 0) {
    const size_t taken = std::min(bytes, sizeof tail_ - held_);
    std::memcpy(tail_ + held_, at, taken);
    held_ += taken;
    at += taken;
    bytes -= taken;
    if (held_ < sizeof tail_) return;
    stripe(lanes_, tail_);
    held_ = 0;
  }
  for (; bytes >= sizeof tail_; at += sizeof tail_, bytes -= sizeof tail_) stripe(lanes_, at);
  if (bytes > 0) std::memcpy(tail_, at, bytes);
  held_ = bytes;
}

uint64_t XxHash64::digest() const {
  uint64_t hash = seed_ + k5;
  if (total_ >= sizeof tail_) {
    hash = rotate(lanes_[0], 1) + rotate(lanes_[1], 7) + rotate(lanes_[2], 12) + rotate(lanes_[3], 18);
    for (const uint64_t lane : lanes_) hash = (hash ^ round(0, lane)) * k1 + k4;
  }
  hash += total_;
  const unsigned char *at = tail_, *end = tail_ + held_;
  for (; end - at >= 8; at += 8) hash = rotate(hash ^ round(0, word<uint64_t>(at)), 27) * k1 + k4;
  for (; end - at >= 4; at += 4) hash = rotate(hash ^ word<uint32_t>(at) * k1, 23) * k2 + k3;
  for (; at < end; ++at) hash = rotate(hash ^ *at * k5, 11) * k1;
  hash = (hash ^ hash >> 33) * k2;
  hash = (hash ^ hash >> 29) * k3;
  return hash ^ hash >> 32;
}

}  // namespace downhill
