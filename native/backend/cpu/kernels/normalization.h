// Normalization of rows (rows, n), all side by side in memory, and its gradients.
#pragma once
#include <cstdint>

namespace downhill::cpu {

struct NormalizationArgs {
  const float* x;
  const float* gamma;  // (n); null: 1
  const float* beta;   // (n); null: 0
  float* y;            // may be x
  int64_t rows, n;
  float epsilon;
};

struct NormalizationGradientArgs {
  const float* x;
  const float* d_y;
  const float* gamma;  // (n); null: 1
  float* d_x;          // may be x or d_y; null: not wanted
  float* scale_sums;   // (n) += Σ d_y · x̂ over the rows, in order; null: not wanted
  float* d_sums;       // (n) += Σ d_y; wanted where scale_sums is
  int64_t rows, n;
  float epsilon;
};

/// By whether rows are divided by the root of their mean square alone.
struct NormalizationKernels {
  void (*forward[2])(const NormalizationArgs& args);
  void (*backward[2])(const NormalizationGradientArgs& args);
};

}  // namespace downhill::cpu
