// Single-precision matrix product with the epilogue that the planner fuses.
#pragma once
#include <cstddef>
#include <cstdint>

namespace downhill::cpu {

/// c (m, n) = op(a) · op(b) [+ bias (n)] [then activate, or gradient] [then tail]; all row-major with leading
/// dimensions in elements.
struct MatmulArgs {
  int64_t m = 0, n = 0, k = 0;
  const float* a = nullptr;  // (m, k), or (k, m) when transpose_a
  int64_t lda = 0;
  bool transpose_a = false;
  const float* b = nullptr;  // (k, n), or (n, k) when transpose_b
  int64_t ldb = 0;
  bool transpose_b = false;
  float* c = nullptr;  // (m, n)
  int64_t ldc = 0;
  const float* bias = nullptr;                                                           // (n); null: none
  void (*activate)(const float* x, float* y, int64_t n, const float* params) = nullptr;  // may run in place; null: none
  /// c = gradient(saved, c), an elementwise kernel of two operands; null: none. saved: laid out as c.
  void (*gradient)(const void* const* in, const int64_t* stride, void* out, int64_t n, const float* params) = nullptr;
  const float* saved = nullptr;
  const float* activate_params = nullptr;  // of either
  /// What follows on elements at … at + n of c, counted along rows of n without padding (ldc = n); null: nothing.
  void (*tail)(const void* context, int64_t at, int64_t n) = nullptr;
  const void* tail_context = nullptr;
  std::byte* scratch = nullptr;  // matmul_scratch bytes, aligned to 64
};

struct MatmulKernels {
  /// Bytes of scratch that run() needs for this shape, for any number of threads.
  size_t (*scratch_bytes)(int64_t m, int64_t n, int64_t k, bool transpose_a, bool transpose_b);
  /// Computes the product on the pool. Result independent of the number of threads. k == 0 gives bias or zeros.
  void (*run)(const MatmulArgs& args);
};

}  // namespace downhill::cpu
