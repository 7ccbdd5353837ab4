// Random initial values: Philox draws on the host, the same on every machine and for any number of threads.
#pragma once
#include <cstdint>

namespace downhill {

/// values[i] uniform in [low, high): key (seed, stream), counter i / 4.
void fill_uniform(float* values, int64_t size, double low, double high, uint64_t seed, uint64_t stream);
/// values[i] normal by Box–Muller.
void fill_normal(float* values, int64_t size, double mean, double deviation, uint64_t seed, uint64_t stream);

}  // namespace downhill
