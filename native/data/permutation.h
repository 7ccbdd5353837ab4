// The order in which an epoch visits its rows.
#pragma once
#include <cstdint>
#include <vector>

namespace downhill {

/// A uniformly distributed permutation of 0 … order.size() - 1: Fisher and Yates's shuffle, driven by Philox with the
/// seed as key and (epoch, position) as counter, without bias. The same on every machine. Allocates nothing.
void permute(std::vector<uint32_t>& order, uint64_t seed, uint64_t epoch);

}  // namespace downhill
