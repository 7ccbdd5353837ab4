// Random orthogonal matrices.
#pragma once
#include <cstdint>

#include "data/random_fill.h"

namespace downhill {

/// values (rows, columns) = gain · Q of the QR factorization of a matrix of standard normal numbers with as many rows
/// as the larger of the two, transposed where there are more columns than rows. The diagonal of R is made positive,
/// which makes Q unique, and uniformly distributed (Mezzadri 2007, "How to generate random matrices from the classical
/// compact groups"). Computed in double by Householder reflections, in an order that no thread count changes. Throws
/// std::bad_alloc.
void fill_orthogonal(float* values, int64_t rows, int64_t columns, double gain, DrawKey key);

}  // namespace downhill
