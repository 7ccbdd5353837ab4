// Random initial values: Philox draws on the host, the same on every machine and for any number of threads.
#pragma once
#include <cstdint>

namespace downhill {

/// Names a draw: the key of Philox, and the counter's upper half.
struct DrawKey {
  uint64_t seed, stream;
};

/// values[i] uniform in [low, high): key (seed, stream), counter i / 4.
void fill_uniform(float* values, int64_t size, double low, double high, DrawKey key);
/// values[i] normal by Box–Muller.
void fill_normal(float* values, int64_t size, double mean, double deviation, DrawKey key);
/// values[i] normal on condition that it is within two deviations of the mean, by the inverse distribution function.
void fill_truncated_normal(float* values, int64_t size, double mean, double deviation, DrawKey key);

/// values (inputs, units): `connections` ≤ inputs entries of each column, chosen uniformly without replacement, are
/// normal with mean 0; the others are 0. Martens 2010, "Deep learning via Hessian-free optimization", section 5.
void fill_sparse(float* values, int64_t inputs, int64_t units, int64_t connections, double deviation, DrawKey key);

}  // namespace downhill
