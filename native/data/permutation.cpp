#include "data/permutation.h"

#include <cstddef>
#include <numeric>
#include <utility>

#include "core/bounded.h"
#include "core/philox.h"

namespace downhill {

namespace {

// They keep the draws apart from those of initializers, and from each other, under the same seed.
constexpr uint32_t kPermutations = 0x73687566, kSamples = 0x73616d70;

/// Draws numbers below a bound; four positions share a block of Philox.
class Draws {
 public:
  Draws(uint64_t seed, uint32_t stream, uint64_t epoch) : seed_(seed), epoch_(epoch), stream_(stream) {}

  /// Uniform in [0, bound).
  uint32_t below(uint32_t bound, uint32_t position) {
    if (position / 4 != block_index_) {
      block_index_ = position / 4;
      block_ = draw(block_index_, 0);
    }
    uint32_t number;
    uint32_t word = block_.v[position % 4];
    for (uint32_t attempt = 1; !bounded(word, bound, number); ++attempt)
      word = draw(block_index_, attempt).v[position % 4];
    return number;
  }

 private:
  DH_ISA::Philox4 draw(uint32_t block, uint32_t attempt) const {
    return DH_ISA::philox(static_cast<uint32_t>(seed_), static_cast<uint32_t>(seed_ >> 32) ^ stream_, block, attempt,
                          static_cast<uint32_t>(epoch_), static_cast<uint32_t>(epoch_ >> 32));
  }

  const uint64_t seed_, epoch_;
  const uint32_t stream_;
  uint32_t block_index_ = 0xffffffffU;
  DH_ISA::Philox4 block_ = {};
};

}  // namespace

void permute(std::vector<uint32_t>& order, uint64_t seed, uint64_t epoch) {
  std::iota(order.begin(), order.end(), 0U);
  Draws draws(seed, kPermutations, epoch);
  for (std::size_t i = order.size(); i > 1; --i) {
    const uint32_t j = draws.below(static_cast<uint32_t>(i), static_cast<uint32_t>(i - 1));
    std::swap(order[i - 1], order[j]);
  }
}

void draw_rows(std::vector<uint32_t>& order, uint32_t rows, uint64_t seed, uint64_t epoch) {
  Draws draws(seed, kSamples, epoch);
  for (std::size_t i = 0; i < order.size(); ++i) order[i] = draws.below(rows, static_cast<uint32_t>(i));
}

}  // namespace downhill
