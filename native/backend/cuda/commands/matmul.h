// Commands of this family; made by host/lower/matmul.cpp, launched by kernels/matmul.cu.
#pragma once
#include <cstdint>

#include "ops/op.h"

namespace downhill::cuda {

/// How products of two floats are computed; sums are always float32. docs/cuda-matmul.md has the errors.
enum class MatmulKind : uint8_t {
  ffma,           // float32 on the ordinary cores of every architecture
  ffma_bfloat16,  // the same with operands rounded to bfloat16, where there are no tensor cores for it
  tf32,           // operands rounded to TensorFloat-32; compute capability 8.0 and up, as the next two
  tf32x3,         // operands split in two TensorFloat-32 parts: as accurate as float32
  bfloat16,       // operands rounded to bfloat16
  count_
};

/// Of c, computed by one block.
enum class MatmulTile : uint8_t {
  large,   // 128 x 128
  medium,  // 64 x 64
  small,   // 64 x 32
  count_
};

constexpr int kMaxBatchRank = 6;

/// c = activation(op(a) · op(b) + bias), or activation(saved, op(a) · op(b) + bias), for each product of a batch. All
/// row-major. With transpose_a alone, and without a batch, also the sums of b over k.
struct MatmulArgs {
  const float* a = nullptr;      // (m, k), or (k, m) when transpose_a
  const float* b = nullptr;      // (k, n), or (n, k) when transpose_b
  const float* bias = nullptr;   // (n); null: none
  const float* saved = nullptr;  // (batch, m, n) without gaps, for the gradient of an activation
  float* c = nullptr;            // (batch, m, n) without gaps
  float* column_sums = nullptr;  // (n); null: not wanted
  float* partials = nullptr;     // with more than one split: (splits, batch, m, n), then (splits, n) column sums
  int64_t m = 0, n = 0, k = 0;
  int64_t lda = 0, ldb = 0;  // leading dimensions, in elements
  bool transpose_a = false, transpose_b = false;

  Op activation = Op::identity;  // a unary row; with `saved`, the gradient of one
  float params[2] = {};          // its attributes

  MatmulKind kind = MatmulKind::ffma;
  MatmulTile tile = MatmulTile::small;
  int32_t splits = 1;  // pieces of k, computed by blocks of their own and added up in order

  // The batch as a loop nest; its size is the product of the dims.
  int32_t batch_rank = 0;
  int64_t batch_dims[kMaxBatchRank] = {};
  int64_t batch_a[kMaxBatchRank] = {};  // strides in elements, 0 where an operand is broadcast
  int64_t batch_b[kMaxBatchRank] = {};
};

}  // namespace downhill::cuda
