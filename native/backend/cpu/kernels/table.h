// The kernels of one instruction set. Every .cpp in this folder is compiled once per set with DH_ISA naming it.
#pragma once
#include <cstddef>
#include <cstdint>

#include "backend/cpu/kernels/attention.h"
#include "backend/cpu/kernels/conv.h"
#include "backend/cpu/kernels/matmul.h"
#include "backend/cpu/kernels/normalization.h"
#include "backend/cpu/kernels/recurrent.h"
#include "backend/cpu/kernels/sparse.h"
#include "core/dtype.h"
#include "ops/op.h"
#include "optim/rule.h"

namespace downhill::cpu {

/// y[i] = f(in[0][i·stride[0]], …) for i in [0, n): strides in elements, 0 broadcasts. Types as the table's row says.
/// `out` may be exactly one of the operands.
using ElementwiseFn = void (*)(const void* const* in, const int64_t* stride, void* out, int64_t n, const float* params);
/// y[i] = f(x[i]): a unary float32 row in the form that the matmul's epilogue calls.
using ActivateFn = void (*)(const float* x, float* y, int64_t n, const float* params);

/// What the update pass does to a gradient before the rule and to a parameter beside it. optim/update_plan.h
struct UpdateScale {
  float gradient = 1;        // the mean of what was accumulated, and the scale of the loss undone
  float clip = 1;            // by norm
  float clip_value = 0;      // 0: none; then limits to ±clip_value
  float l2 = 0;              // coupled decay: g += l2 · p
  float decay = 0;           // decoupled: p -= decay · p before the rule (decay = rate · weightDecay)
  float trust = 1;           // of a rule with norms
  float keep = 0, take = 1;  // average ← keep · average + take · p
  bool overwrite = false;    // then p ← average
};
/// Where it is done: (n) each.
struct UpdateRow {
  float* p;
  const float* g;
  float* slots[kMaxSlots];
  const float* accumulator;  // is added to g; null: none
  float* average;            // null: none
  const float* units =
      nullptr;  // (columns): element i of g is multiplied with units[(column + i) mod columns]; null: none
  int64_t columns = 1, column = 0;
  int64_t ahead = 512;  // elements from each one to that which is fetched with it, for later
};
/// p, slots ← rule(g, p, slots) over [0, n).
using UpdateFn = void (*)(const void* rule, const UpdateScale& scale, const UpdateRow& row, int64_t n);

/// sums ← Σp², Σmeasured² over [0, n) of a rule with norms, as the update would see them; nothing is written.
using MeasureFn = void (*)(const void* rule, const UpdateScale& scale, const UpdateRow& row, int64_t n, float* sums);

/// Functions of the rows of x (rows, n), all side by side in memory. Labels lie in [0, n): the caller has checked them.
struct RowKernels {
  void (*softmax)(const float* x, float* y, int64_t rows, int64_t n);
  void (*log_softmax)(const float* x, float* y, int64_t rows, int64_t n);
  void (*log_sum_exp)(const float* x, float* y, int64_t rows, int64_t n);  // y (rows)
  void (*softmax_grad)(const float* y, const float* d_y, float* d_x, int64_t rows, int64_t n);
  void (*log_softmax_grad)(const float* y, const float* d_y, float* d_x, int64_t rows, int64_t n);
  void (*cross_entropy)(const float* x, const float* targets, float* y, int64_t rows,
                        int64_t n);  // targets (rows, n), y (rows)
  void (*cross_entropy_grad)(const float* x, const float* targets, const float* d_y, float* d_x, int64_t rows,
                             int64_t n);
  void (*sparse_cross_entropy)(const float* x, const int32_t* labels, float* y, int64_t rows, int64_t n);
  void (*sparse_cross_entropy_grad)(const float* x, const int32_t* labels, const float* d_y, float* d_x, int64_t rows,
                                    int64_t n);
};

enum class Reduction : uint8_t { sum, max, min };
inline constexpr int kReductionCount = 3;

/// One row of a reduction that comes in parts, with the bits of ReduceKernels::rows. Accumulators: 64 values.
struct RowParts {
  void (*begin)(void* accumulators);
  void (*part)(const void* x, int64_t n, void* accumulators);                // n: a multiple of 64
  void (*end)(const void* x, int64_t n, const void* accumulators, void* y);  // the last n elements, any number
};

/// Reductions in an order that depends on shapes alone. First index: Reduction; second: DType.
struct ReduceKernels {
  /// y[r] = reduction of x[r, 0 … n) for r in [0, rows); x (rows, n)
  void (*rows[kReductionCount][kDTypeCount])(const void* x, void* y, int64_t rows, int64_t n);
  /// y[j] = reduction of x[0 … n, j] for j in [0, columns); rows of x are `stride` elements apart.
  void (*columns[kReductionCount][kDTypeCount])(const void* x, int64_t stride, void* y, int64_t n, int64_t columns);
  RowParts parts[kReductionCount][kDTypeCount];
  void (*argmax_rows[kDTypeCount])(const void* x, int32_t* y, int64_t rows, int64_t n);
  void (*argmax_columns[kDTypeCount])(const void* x, int64_t stride, int32_t* y, int64_t n, int64_t columns);
};

/// Moving elements of four bytes, whatever their type.
struct MovementKernels {
  /// to[i·to_stride[0] + j·to_stride[1]] = from[i·from_stride[0] + j·from_stride[1]] for i < n[0], j < n[1]
  void (*copy)(const void* from, const int64_t* from_stride, void* to, const int64_t* to_stride, const int64_t* n);
  void (*to_int)(const float* x, int32_t* y, int64_t n);  // towards zero; limits outside the range, NaN gives 0
  void (*to_float)(const int32_t* x, float* y, int64_t n);
  /// The position of the first index outside [0, limit); n when there is none.
  int64_t (*first_outside)(const int32_t* indices, int64_t n, int64_t limit);
  /// y[i, :] = x[indices[i], :]; rows of `width` elements
  void (*gather)(const void* x, const int32_t* indices, void* y, int64_t n, int64_t width);
  /// y[indices[i], 0 … columns) += x[i, 0 … columns), in the order of i; rows of both are `width` elements apart. By
  /// DType.
  void (*scatter_add[kDTypeCount])(const void* x, const int32_t* indices, void* y, int64_t n, int64_t width,
                                   int64_t columns);
  /// The same for float32 and whole rows, of those indices that lie in [begin, end).
  void (*scatter_add_between)(const float* x, const int32_t* indices, float* y, int64_t n, int64_t width, int64_t begin,
                              int64_t end);
  void (*one_hot)(const int32_t* labels, float* y, int64_t n, int64_t depth);
};

/// y[i] = f(x[i], the random number of element begin + i), i < n; functors of ops/noise.h. y may be x.
using NoiseFn = void (*)(const float* x, float* y, int64_t begin, int64_t n, const NoiseParams& params, uint64_t step);
struct NoiseKernels {
  NoiseFn dropout, gaussian_dropout, gaussian_noise;
};

/// y[i] for the elements begin + i of a tensor, i < n: a function of key, stream and element alone. begin % 4 == 0
struct RandomKernels {
  void (*uniform)(float* y, int64_t begin, int64_t n, float low, float width, uint64_t key, uint64_t stream);
  void (*normal)(float* y, int64_t begin, int64_t n, float mean, float deviation, uint64_t key, uint64_t stream);
  /// Normal, within two deviations of the mean.
  void (*truncated_normal)(float* y, int64_t begin, int64_t n, float mean, float deviation, uint64_t key,
                           uint64_t stream);
};

struct KernelTable {
  const char* isa;
  MatmulKernels matmul;
  ElementwiseFn elementwise[kOpCount][kDTypeCount];  // by op and operand type; null where the row has no such kernel
  ActivateFn activate[kOpCount];                     // unary rows
  RowKernels rows;
  NormalizationKernels normalization;
  ReduceKernels reduce;
  MovementKernels movement;
  NoiseKernels noise;
  SparseKernels sparse;
  AttentionKernels attention;
  RecurrentKernels recurrent;
  ConvKernels conv;
  PoolKernels pool;
  RandomKernels random;
  UpdateFn update[kRuleCount];
  MeasureFn measure[kRuleCount];  // null for rules without norms
  /// Of factor · x, or of factor · (x + y) where y is not null; of one chunk, in a fixed order.
  float (*sum_of_squares)(const float* x, const float* y, float factor, int64_t n);
  /// sums[c] ← Σ over rows, in order, of the squares of factor · (x + y); x, y: (rows, columns), rows `stride` apart.
  void (*unit_squares)(const float* x, const float* y, float factor, int64_t rows, int64_t columns, int64_t stride,
                       double* sums);
  bool (*sums_finite)(const float* x, const float* y, int64_t n);  // x, or x + y where y is not null
  void (*add_to)(const float* x, float* y, int64_t n);             // y += x
  bool (*all_finite)(const float* x, int64_t n);
  bool (*at_rest)(const float* x, int64_t n);  // neither NaN, infinite nor -0
  /// So many rounds of multiply-adds in registers, to learn what the processor can do; gives their FLOPs.
  double (*multiply_adds)(int64_t rounds, float* sums);
};

const KernelTable& table_of_baseline();
#if defined(__x86_64__)
const KernelTable& table_of_avx2();
const KernelTable& table_of_avx512();
#endif
/// The table in use; chosen once by the processor, or by select_isa.
const KernelTable& kernels();
/// The same with matrix products of operands rounded to bfloat16; null where float32 is as fast, as far as is known.
const KernelTable* bfloat16_kernel_table();

}  // namespace downhill::cpu
