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

DH_HOST_DEVICE void wide_product(uint32_t a, uint32_t b, uint32_t& high, uint32_t& low) {
  const uint64_t product = uint64_t{a} * b;
  high = static_cast<uint32_t>(product >> 32);
  low = static_cast<uint32_t>(product);
}
DH_HOST_DEVICE uint32_t exclusive_or(uint32_t a, uint32_t b, uint32_t key) { return a ^ b ^ key; }

/// Ten rounds over the counter c with the key (k0, k1). A word is 32 bits, or those of many counters side by side.
template <typename Word>
DH_HOST_DEVICE void philox_rounds(uint32_t k0, uint32_t k1, Word (&c)[4]) {
  for (int round = 0; round < 10; ++round) {
    Word high0, low0, high1, low1;
    wide_product(0xD2511F53u, c[0], high0, low0);
    wide_product(0xCD9E8D57u, c[2], high1, low1);
    c[0] = exclusive_or(high1, c[1], k0);
    c[1] = low1;
    c[2] = exclusive_or(high0, c[3], k1);
    c[3] = low0;
    k0 += 0x9E3779B9u;
    k1 += 0xBB67AE85u;
  }
}

DH_HOST_DEVICE Philox4 philox(uint32_t k0, uint32_t k1, uint32_t c0, uint32_t c1, uint32_t c2, uint32_t c3) {
  Philox4 counter = {{c0, c1, c2, c3}};
  philox_rounds(k0, k1, counter.v);
  return counter;
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

/// Standard normal on condition that its magnitude is at most 2: y -> √2 erf⁻¹(y) for y uniform in ±erf(√2). The
/// inverse is y · P(-log(1 - y²)), P fitted to a relative 2e-8 on this range.
DH_HOST_DEVICE float truncated_normal(uint32_t bits) {
  const float y = static_cast<float>(static_cast<int32_t>(bits)) * 4.4447357e-10f;  // erf(√2) / 2^31
  const float w = -math::log(1.0f - y * y);
  float p = -6.357969596e-6f;
  p = p * w + 9.065630002e-5f;
  p = p * w - 2.155141556e-4f;
  p = p * w - 3.277139738e-3f;
  p = p * w + 1.632438041e-2f;
  p = p * w + 3.281180263e-1f;
  p = p * w + 1.253314137f;
  const float z = y * p;
  return z > 2.0f ? 2.0f : z < -2.0f ? -2.0f : z;
}

}  // namespace downhill::DH_ISA
