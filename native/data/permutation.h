// Random orders of rows.
#pragma once
#include <cstdint>
#include <vector>

namespace downhill {

/// A uniformly distributed permutation of 0 … order.size() - 1: Fisher and Yates's shuffle, driven by Philox with the
/// seed as key and (epoch, position) as counter, without bias. The same on every machine. Allocates nothing.
void permute(std::vector<uint32_t>& order, uint64_t seed, uint64_t epoch);

/// A simple random sample with replacement: each entry is uniform in [0, rows), independent of the others. Driven as
/// permute(), by draws of its own. rows >= 1.
void draw_rows(std::vector<uint32_t>& order, uint32_t rows, uint64_t seed, uint64_t epoch);

}  // namespace downhill
