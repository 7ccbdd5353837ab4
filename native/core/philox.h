// Philox4x32-10 (Salmon et al. 2011, "Parallel random numbers: as easy as 1, 2, 3"): random numbers as a function of a
// key and a counter, the same on every device and for any order of evaluation.
#pragma once
#include <cstdint>

#include "core/host_device.h"
#include "core/math.h"

namespace downhill::DH_ISA {

struct Philox4 {
  uint32_t v[4];
};

/// Ten rounds over the counter (c0, c1, c2, c3) with the key (k0, k1).
DH_HOST_DEVICE Philox4 philox(uint32_t k0, uint32_t k1, uint32_t c0, uint32_t c1, uint32_t c2, uint32_t c3) {
  for (int round = 0; round < 10; ++round) {
    const uint64_t p0 = uint64_t{0xD2511F53u} * c0, p1 = uint64_t{0xCD9E8D57u} * c2;
    const uint32_t hi0 = static_cast<uint32_t>(p0 >> 32), hi1 = static_cast<uint32_t>(p1 >> 32);
    c0 = hi1 ^ c1 ^ k0;
    c1 = static_cast<uint32_t>(p1);
    c2 = hi0 ^ c3 ^ k1;
    c3 = static_cast<uint32_t>(p0);
    k0 += 0x9E3779B9u;
    k1 += 0xBB67AE85u;
  }
  return {{c0, c1, c2, c3}};
}

/// Four numbers for elements 4·block … 4·block + 3 of one step.
DH_HOST_DEVICE Philox4 philox(uint64_t key, uint64_t step, uint64_t block) {
  return philox(static_cast<uint32_t>(key), static_cast<uint32_t>(key >> 32), static_cast<uint32_t>(block),
                static_cast<uint32_t>(block >> 32), static_cast<uint32_t>(step), static_cast<uint32_t>(step >> 32));
}

/// Uniform in [0, 1), a multiple of 2^-24.
DH_HOST_DEVICE float uniform(uint32_t bits) {
  return static_cast<float>(static_cast<int32_t>(bits >> 8)) * 5.9604644775390625e-8f;
}

/// Two standard normal numbers (Box and Muller 1958); at most 6.77 in magnitude.
DH_HOST_DEVICE void normal(uint32_t a, uint32_t b, float& first, float& second) {
  const float u = static_cast<float>(a) * 2.3283064365386963e-10f + 1.1641532182693481e-10f;  // (0, 1]
  const float radius = math::sqrt(-2.0f * math::log(u));
  float sine, cosine;
  math::sin_cos_turns(uniform(b), sine, cosine);
  first = radius * cosine;
  second = radius * sine;
}

}  // namespace downhill::DH_ISA
