// Random integers below a bound: Lemire 2019, "Fast random integer generation in an interval".
#pragma once
#include <cstdint>

namespace downhill {

/// Takes the product's high word as a number in [0, bound) unless the word is one of the few that would favour some
/// numbers: draw another one then.
inline bool bounded(uint32_t word, uint32_t bound, uint32_t& number) {
  const uint64_t product = uint64_t{word} * bound;
  number = static_cast<uint32_t>(product >> 32);
  const auto low = static_cast<uint32_t>(product);
  return low >= bound || low >= (0U - bound) % bound;
}

}  // namespace downhill
