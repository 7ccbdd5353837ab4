#include "data/random_fill.h"

#include <algorithm>

#include "backend/cpu/kernels/table.h"
#include "backend/cpu/pool.h"
#include "core/bounded.h"
#include "core/philox.h"

namespace downhill {

namespace {

constexpr int64_t kChunk = 16384;         // values
constexpr int64_t kUnitsPerChunk = 16;    // a cache line of floats
constexpr uint32_t kChoice = 0x63686f69;  // keeps choices apart from the values drawn under the same key

template <typename Kernel>
void fill(Kernel kernel, float* values, int64_t size, double a, double b, DrawKey key) {
  cpu::parallel_for((size + kChunk - 1) / kChunk, [&](int64_t chunk) {
    const int64_t begin = chunk * kChunk;
    kernel(values + begin, begin, std::min(kChunk, size - begin), static_cast<float>(a), static_cast<float>(b),
           key.seed, key.stream);
  });
}

/// Uniform in [0, bound), of draw `position` of a unit.
uint32_t below(uint32_t bound, uint32_t position, uint32_t unit, DrawKey key) {
  for (uint32_t attempt = 0;; ++attempt) {
    const DH_ISA::Philox4 draws =
        DH_ISA::philox(static_cast<uint32_t>(key.seed), static_cast<uint32_t>(key.seed >> 32) ^ kChoice, position, unit,
                       static_cast<uint32_t>(key.stream), static_cast<uint32_t>(key.stream >> 32) + attempt);
    uint32_t number;
    for (const uint32_t word : draws.v)
      if (bounded(word, bound, number)) return number;
  }
}

}  // namespace

void fill_uniform(float* values, int64_t size, double low, double high, DrawKey key) {
  fill(cpu::kernels().random.uniform, values, size, low, high - low, key);
}

void fill_normal(float* values, int64_t size, double mean, double deviation, DrawKey key) {
  fill(cpu::kernels().random.normal, values, size, mean, deviation, key);
}

void fill_truncated_normal(float* values, int64_t size, double mean, double deviation, DrawKey key) {
  fill(cpu::kernels().random.truncated_normal, values, size, mean, deviation, key);
}

void fill_sparse(float* values, int64_t inputs, int64_t units, int64_t connections, double deviation, DrawKey key) {
  const auto normal = cpu::kernels().random.normal;
  std::fill_n(values, inputs * units, 0.0f);
  cpu::parallel_for((units + kUnitsPerChunk - 1) / kUnitsPerChunk, [&](int64_t chunk) {
    const int64_t end = std::min(units, (chunk + 1) * kUnitsPerChunk);
    for (int64_t unit = chunk * kUnitsPerChunk; unit < end; ++unit) {
      float* const column = values + unit;  // elements `units` apart
      // Floyd's sample without replacement: 1 marks the chosen ones.
      for (int64_t i = inputs - connections; i < inputs; ++i) {
        const int64_t drawn =
            below(static_cast<uint32_t>(i + 1), static_cast<uint32_t>(i), static_cast<uint32_t>(unit), key);
        column[(column[drawn * units] == 0.0f ? drawn : i) * units] = 1.0f;
      }
      for (int64_t i = 0; i < inputs; ++i) {
        if (column[i * units] == 0.0f) continue;
        const int64_t element = i * units + unit, block = element / 4 * 4;
        float four[4];
        normal(four, block, 4, 0.0f, static_cast<float>(deviation), key.seed, key.stream);
        column[i * units] = four[element - block];
      }
    }
  });
}

}  // namespace downhill
