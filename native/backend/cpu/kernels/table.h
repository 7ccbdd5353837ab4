// The kernels of one instruction set. Every .cpp in this folder is compiled once per set with DH_ISA naming it.
#pragma once
#include <cstddef>
#include <cstdint>

#include "backend/cpu/kernels/matmul.h"
#include "ops/op.h"
#include "optim/rule.h"

namespace downhill::cpu {

/// y[i] = f(in[0][i·stride[0]], …) for i in [0, n): strides in elements, 0 broadcasts. Types as the table's row says.
using ElementwiseFn = void (*)(const void* const* in, const int64_t* stride, void* out, int64_t n, const float* params);

/// What the update pass does to a gradient before the rule and to a parameter beside it. docs/numerics.md
struct UpdateScale {
  float gradient = 1;    // clipping by norm
  float clip_value = 0;  // 0: none; then limits to ±clip_value
  float l2 = 0;          // coupled decay: g += l2 · p
  float decay = 0;       // decoupled: p -= decay · p before the rule (decay = rate · weightDecay)
};
/// p, slots ← rule(g, p, slots) over [0, n).
using UpdateFn = void (*)(const void* rule, const UpdateScale& scale, float* p, const float* g, float* const* slots, int64_t n);

struct KernelTable {
  const char* isa;
  MatmulKernels matmul;
  ElementwiseFn elementwise[kOpCount][2];  // by op and operand dtype (DType); null where the row has no such kernel
  UpdateFn update[kRuleCount];
  float (*sum_of_squares)(const float* x, int64_t n);  // of one chunk, fixed order
  bool (*all_finite)(const float* x, int64_t n);
  // rows, reductions and movement: see the headers beside this one
  struct RowKernels* rows;
};

const KernelTable& table_of_baseline();
#if defined(__x86_64__)
const KernelTable& table_of_avx2();
const KernelTable& table_of_avx512();
#endif
/// The table in use; chosen once by the processor, or by select_isa.
const KernelTable& kernels();

}  // namespace downhill::cpu
