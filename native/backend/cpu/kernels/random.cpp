// Random initial values: draws of Philox, turned into a distribution in blocks that fit a cache.
#include "backend/cpu/kernels/entries.h"
#include "core/philox.h"

namespace downhill::cpu::DH_ISA {

namespace {

using downhill::DH_ISA::Philox4;

/// turn(draws, four): four values from one block of Philox.
template <typename Turn>
void fill(float* y, int64_t begin, int64_t n, uint64_t key, uint64_t stream, Turn turn) {
  constexpr int64_t kBlock = 256;
  float values[kBlock];
  for (int64_t at = 0; at < n; at += kBlock) {
    const uint64_t first = static_cast<uint64_t>((begin + at) / 4);
#pragma GCC ivdep
    for (int64_t i = 0; i < kBlock / 4; ++i)
      turn(downhill::DH_ISA::philox(key, stream, first + static_cast<uint64_t>(i)), values + 4 * i);
    const int64_t count = n - at < kBlock ? n - at : kBlock;
    __builtin_memcpy(y + at, values, static_cast<size_t>(count) * sizeof(float));
  }
}

void uniform(float* y, int64_t begin, int64_t n, float low, float width, uint64_t key, uint64_t stream) {
  fill(y, begin, n, key, stream, [=](const Philox4& draws, float* four) __attribute__((always_inline)) {
    for (int l = 0; l < 4; ++l) four[l] = low + width * downhill::DH_ISA::uniform(draws.v[l]);
  });
}

void normal(float* y, int64_t begin, int64_t n, float mean, float deviation, uint64_t key, uint64_t stream) {
  fill(y, begin, n, key, stream, [=](const Philox4& draws, float* four) __attribute__((always_inline)) {
    float z[4];
    downhill::DH_ISA::normal(draws.v[0], draws.v[1], z[0], z[1]);
    downhill::DH_ISA::normal(draws.v[2], draws.v[3], z[2], z[3]);
    for (int l = 0; l < 4; ++l) four[l] = mean + deviation * z[l];
  });
}

void truncated_normal(float* y, int64_t begin, int64_t n, float mean, float deviation, uint64_t key, uint64_t stream) {
  fill(y, begin, n, key, stream, [=](const Philox4& draws, float* four) __attribute__((always_inline)) {
    for (int l = 0; l < 4; ++l) four[l] = mean + deviation * downhill::DH_ISA::truncated_normal(draws.v[l]);
  });
}

}  // namespace

void fill_random(RandomKernels& table) { table = {uniform, normal, truncated_normal}; }

}  // namespace downhill::cpu::DH_ISA
