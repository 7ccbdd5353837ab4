#include "data/random_fill.h"

#include <algorithm>

#include "backend/cpu/pool.h"
#include "core/philox.h"

namespace downhill {

namespace {

constexpr int64_t kBlocksPerChunk = 4096;  // of four values

/// fill(draws, out): four values from one Philox block.
template <typename Fill>
void fill_blocks(float* values, int64_t size, uint64_t seed, uint64_t stream, Fill fill) {
  const int64_t blocks = (size + 3) / 4;
  cpu::parallel_for((blocks + kBlocksPerChunk - 1) / kBlocksPerChunk, [&](int64_t chunk) {
    const int64_t end = std::min(blocks, (chunk + 1) * kBlocksPerChunk);
    for (int64_t block = chunk * kBlocksPerChunk; block < end; ++block) {
      float four[4];
      fill(DH_ISA::philox(seed, stream, static_cast<uint64_t>(block)), four);
      std::copy_n(four, std::min<int64_t>(4, size - 4 * block), values + 4 * block);
    }
  });
}

}  // namespace

void fill_uniform(float* values, int64_t size, double low, double high, uint64_t seed, uint64_t stream) {
  const float base = static_cast<float>(low), width = static_cast<float>(high - low);
  fill_blocks(values, size, seed, stream, [=](const DH_ISA::Philox4& draws, float* four) {
    for (int i = 0; i < 4; ++i) four[i] = base + width * DH_ISA::uniform(draws.v[i]);
  });
}

void fill_normal(float* values, int64_t size, double mean, double deviation, uint64_t seed, uint64_t stream) {
  const float center = static_cast<float>(mean), scale = static_cast<float>(deviation);
  fill_blocks(values, size, seed, stream, [=](const DH_ISA::Philox4& draws, float* four) {
    DH_ISA::normal(draws.v[0], draws.v[1], four[0], four[1]);
    DH_ISA::normal(draws.v[2], draws.v[3], four[2], four[3]);
    for (int i = 0; i < 4; ++i) four[i] = center + scale * four[i];
  });
}

}  // namespace downhill
