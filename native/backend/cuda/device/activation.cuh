// The unary float32 rows inside other kernels: epilogues of matrix products.
#pragma once
#include "ops/activation.h"
#include "backend/cuda/device/platform.cuh"
#include "ops/functor.h"
#include "ops/op.h"
#include "ops/unary.h"

namespace downhill::cuda {

#define BINARY(name, functor, types, attributes, gradient)
#define TERNARY(name, functor, types, attributes, gradient)
#define OP(name, arity, shape, attributes, gradient)
#define COMPOSITE(name, arity, attributes)

/// On the host: visit(f) with the functor of a unary row, to choose a kernel that has it inlined. False: no such row.
template <typename Visit>
bool with_activation(Op op, const float* params, Visit&& visit) {
  switch (op) {
#define UNARY(name, functor, types, attributes, gradient)             \
  case Op::name:                                                      \
    visit(downhill::DH_ISA::make<downhill::DH_ISA::functor>(params)); \
    return true;
#include "ops/ops.def"
    default:
      return false;
  }
}

#define BINARY(name, functor, types, attributes, gradient)
#define TERNARY(name, functor, types, attributes, gradient)
#define OP(name, arity, shape, attributes, gradient)
#define COMPOSITE(name, arity, attributes)

/// f(x) of a unary row chosen at run time; x for Op::identity. The code of all rows, therefore not inlined: call it in
/// a loop, and keep the common cases (none, relu) beside it.
inline __device__ __attribute__((noinline)) float activate(Op op, const float* params, float x) {
  switch (op) {
#define UNARY(name, functor, types, attributes, gradient) \
  case Op::name:                                          \
    return downhill::DH_ISA::make<downhill::DH_ISA::functor>(params)(x);
#include "ops/ops.def"
    default:
      return x;
  }
}

}  // namespace downhill::cuda
