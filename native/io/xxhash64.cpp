#include "io/xxhash64.h"

#include <algorithm>
#include <cstring>

namespace downhill {

namespace {

constexpr uint64_t kPrime1 = 0x9E3779B185EBCA87, kPrime2 = 0xC2B2AE3D27D4EB4F, kPrime3 = 0x165667B19E3779F9,
                   kPrime4 = 0x85EBCA77C2B2AE63, kPrime5 = 0x27D4EB2F165667C5;

constexpr uint64_t rotate(uint64_t value, int bits) { return (value << bits) | (value >> (64 - bits)); }

/// Little-endian, wherever it lies.
template <typename T>
T load(const unsigned char* bytes) {
#if __BYTE_ORDER__ == __ORDER_LITTLE_ENDIAN__
  T value;
  std::memcpy(&value, bytes, sizeof value);
  return value;
#else
  T value = 0;
  for (size_t i = 0; i < sizeof value; ++i) value |= static_cast<T>(bytes[i]) << (8 * i);
  return value;
#endif
}

constexpr uint64_t round(uint64_t lane, uint64_t input) { return rotate(lane + input * kPrime2, 31) * kPrime1; }

constexpr uint64_t merge(uint64_t hash, uint64_t lane) { return (hash ^ round(0, lane)) * kPrime1 + kPrime4; }

}  // namespace

XxHash64::XxHash64(uint64_t seed)
    : seed_(seed), lanes_{seed + kPrime1 + kPrime2, seed + kPrime2, seed, seed - kPrime1} {}

void XxHash64::update(const void* data, size_t bytes) {
  const unsigned char* from = static_cast<const unsigned char*>(data);
  std::array<uint64_t, 4> lanes = lanes_;
  const auto stripe = [&lanes](const unsigned char* at) {
    for (size_t i = 0; i < 4; ++i) lanes[i] = round(lanes[i], load<uint64_t>(at + 8 * i));
  };
  const size_t waiting = total_ % kStripe;
  total_ += bytes;
  if (waiting > 0) {
    const size_t taken = std::min(bytes, kStripe - waiting);
    std::memcpy(rest_.data() + waiting, from, taken);
    from += taken;
    bytes -= taken;
    if (waiting + taken < kStripe) return;
    stripe(rest_.data());
  }
  for (; bytes >= kStripe; from += kStripe, bytes -= kStripe) stripe(from);
  if (bytes > 0) std::memcpy(rest_.data(), from, bytes);
  lanes_ = lanes;
}

uint64_t XxHash64::digest() const {
  uint64_t hash = seed_ + kPrime5;
  if (total_ >= kStripe) {
    hash = rotate(lanes_[0], 1) + rotate(lanes_[1], 7) + rotate(lanes_[2], 12) + rotate(lanes_[3], 18);
    for (const uint64_t lane : lanes_) hash = merge(hash, lane);
  }
  hash += total_;
  const unsigned char* at = rest_.data();
  size_t left = total_ % kStripe;
  for (; left >= 8; at += 8, left -= 8) hash = rotate(hash ^ round(0, load<uint64_t>(at)), 27) * kPrime1 + kPrime4;
  for (; left >= 4; at += 4, left -= 4) hash = rotate(hash ^ load<uint32_t>(at) * kPrime1, 23) * kPrime2 + kPrime3;
  for (; left > 0; ++at, --left) hash = rotate(hash ^ *at * kPrime5, 11) * kPrime1;
  hash = (hash ^ (hash >> 33)) * kPrime2;
  hash = (hash ^ (hash >> 29)) * kPrime3;
  return hash ^ (hash >> 32);
}

}  // namespace downhill
