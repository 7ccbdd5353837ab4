// Loops over the functors of the elementwise rows. Formulas: ops/unary.h, ops/binary.h, ops/activation.h.
#include <type_traits>

#include "backend/cpu/kernels/entries.h"
#include "ops/activation.h"
#include "ops/binary.h"
#include "ops/functor.h"
#include "ops/op.h"
#include "ops/unary.h"

namespace downhill::cpu::DH_ISA {

namespace {

constexpr int64_t kBlock = 512;  // elements gathered at a time when a stride is not 1

template <typename F, typename = void>
constexpr bool chooses = false;
template <typename F>
constexpr bool chooses<F, std::void_t<decltype(F::kChooses)>> = true;

/// body(f), f being the formula that the attributes choose where there are several.
template <typename F, typename Body>
void with_formula(const float* params, Body&& body) {
  const F f = downhill::DH_ISA::make<F>(params);
  if constexpr (chooses<F>)
    f.choose(body);
  else
    body(f);
}

/// n elements of an operand side by side: themselves, or copied into a buffer. A scalar is copied once for all blocks.
template <typename T>
const T* packed(const T* x, int64_t stride, int64_t begin, int64_t n, T* buffer) {
  if (stride == 1) return x + begin;
  if (stride == 0 && begin > 0) return buffer;
  const T* from = x + begin * stride;
  for (int64_t i = 0; i < n; ++i) buffer[i] = from[i * stride];
  return buffer;
}

template <typename F, typename T, typename R>
void unary(const void* const* in, const int64_t* stride, void* out, int64_t n, const float* params) {
  with_formula<F>(params, [=](auto f) {
    const T* x = static_cast<const T*>(in[0]);
    R* y = static_cast<R*>(out);
    T buffer[kBlock];
    const int64_t step = stride[0] == 1 ? n : kBlock;
    for (int64_t begin = 0; begin < n; begin += step) {
      const int64_t count = begin + step < n ? step : n - begin;
      const T* a = packed(x, stride[0], begin, count, buffer);
      R* r = y + begin;
#pragma GCC ivdep
      for (int64_t i = 0; i < count; ++i) r[i] = f(a[i]);
    }
  });
}

template <typename F, typename T, typename R>
void binary(const void* const* in, const int64_t* stride, void* out, int64_t n, const float* params) {
  with_formula<F>(params, [=](auto f) {
    const T *x0 = static_cast<const T*>(in[0]), *x1 = static_cast<const T*>(in[1]);
    R* y = static_cast<R*>(out);
    if (stride[0] == 1 && stride[1] == 0) {
      const T b = *x1;
#pragma GCC ivdep
      for (int64_t i = 0; i < n; ++i) y[i] = f(x0[i], b);
      return;
    }
    if (stride[0] == 0 && stride[1] == 1) {
      const T a = *x0;
#pragma GCC ivdep
      for (int64_t i = 0; i < n; ++i) y[i] = f(a, x1[i]);
      return;
    }
    T buffer0[kBlock], buffer1[kBlock];
    const int64_t step = stride[0] == 1 && stride[1] == 1 ? n : kBlock;
    for (int64_t begin = 0; begin < n; begin += step) {
      const int64_t count = begin + step < n ? step : n - begin;
      const T* a = packed(x0, stride[0], begin, count, buffer0);
      const T* b = packed(x1, stride[1], begin, count, buffer1);
      R* r = y + begin;
#pragma GCC ivdep
      for (int64_t i = 0; i < count; ++i) r[i] = f(a[i], b[i]);
    }
  });
}

template <typename F, typename T>
void ternary(const void* const* in, const int64_t* stride, void* out, int64_t n, const float* params) {
  const F f = downhill::DH_ISA::make<F>(params);
  const T *x0 = static_cast<const T*>(in[0]), *x1 = static_cast<const T*>(in[1]), *x2 = static_cast<const T*>(in[2]);
  T* y = static_cast<T*>(out);
  T buffer0[kBlock], buffer1[kBlock], buffer2[kBlock];
  const int64_t step = stride[0] == 1 && stride[1] == 1 && stride[2] == 1 ? n : kBlock;
  for (int64_t begin = 0; begin < n; begin += step) {
    const int64_t count = begin + step < n ? step : n - begin;
    const T* a = packed(x0, stride[0], begin, count, buffer0);
    const T* b = packed(x1, stride[1], begin, count, buffer1);
    const T* c = packed(x2, stride[2], begin, count, buffer2);
    T* r = y + begin;
#pragma GCC ivdep
    for (int64_t i = 0; i < count; ++i) r[i] = f(a[i], b[i], c[i]);
  }
}

/// A unary row for the matmul's epilogue.
template <typename F>
void activate(const float* x, float* y, int64_t n, const float* params) {
  with_formula<F>(params, [=](auto f) {
#pragma GCC ivdep
    for (int64_t i = 0; i < n; ++i) y[i] = f(x[i]);
  });
}

// Which kernels a row has, by the types it names.
template <OpTypes kTypes, typename F>
void set_unary(KernelTable& table, Op op) {
  auto& row = table.elementwise[static_cast<int>(op)];
  row[0] = unary<F, float, float>;
  if constexpr (kTypes == OpTypes::FI) row[1] = unary<F, int32_t, int32_t>;
  table.activate[static_cast<int>(op)] = activate<F>;
}

template <OpTypes kTypes, typename F>
void set_binary(KernelTable& table, Op op) {
  auto& row = table.elementwise[static_cast<int>(op)];
  using Result = std::conditional_t<kTypes == OpTypes::C, int32_t, float>;
  row[0] = binary<F, float, Result>;
  if constexpr (kTypes != OpTypes::F) row[1] = binary<F, int32_t, int32_t>;
}

template <OpTypes kTypes, typename F>
void set_ternary(KernelTable& table, Op op) {
  auto& row = table.elementwise[static_cast<int>(op)];
  row[0] = ternary<F, float>;
  if constexpr (kTypes != OpTypes::F) row[1] = ternary<F, int32_t>;
}

}  // namespace

void fill_elementwise(KernelTable& table) {
#define UNARY(name, functor, types, attributes, gradient) \
  set_unary<OpTypes::types, downhill::DH_ISA::functor>(table, Op::name);
#define BINARY(name, functor, types, attributes, gradient) \
  set_binary<OpTypes::types, downhill::DH_ISA::functor>(table, Op::name);
#define TERNARY(name, functor, types, attributes, gradient) \
  set_ternary<OpTypes::types, downhill::DH_ISA::functor>(table, Op::name);
#define OP(name, arity, shape, attributes, gradient)
#define COMPOSITE(name, arity, attributes)
#include "ops/ops.def"
}

}  // namespace downhill::cpu::DH_ISA
