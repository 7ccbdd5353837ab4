// The loop of elementwise kernels: the output is contiguous, each thread computes four elements of it side by side, and
// how an operand is read is decided when the kernel is launched.
#pragma once
#include "backend/cuda/commands/elementwise.h"
#include "backend/cuda/device/offsets.cuh"
#include "backend/cuda/device/vector.cuh"
#include "ops/functor.h"

namespace downhill::cuda {

enum class Reading : uint8_t {
  linear,  // element i at i
  scalar,  // always the same
  nested,  // by the strides of the nest
};

struct Operand {
  const void* data = nullptr;
  Reading reading = Reading::linear;
  bool aligned = false;       // four elements can be loaded at once: all quads of a linear one, or whole rows of quads
  uint32_t inner_stride = 0;  // nested: of the innermost dimension
};

template <int kArity>
struct ElementwiseLaunch {
  Operand in[kArity];
  void* out;
  uint32_t n;
  bool out_aligned;
  bool any_nested;
  bool rows_of_quads;  // the innermost dimension is a multiple of four: a thread's elements are steps along it
  Offsets<kArity> offsets;
};

/// Elements first … first + count - 1 of the nested operands.
template <int kArity, typename T>
__device__ __forceinline__ void load_nested(const ElementwiseLaunch<kArity>& args, uint32_t first, int count,
                                            T (&x)[kArity][kQuad]) {
  uint32_t offset[kArity];
  if (args.rows_of_quads) {
    args.offsets.at(first, offset);
    for (int k = 0; k < kArity; ++k) {
      const Operand& in = args.in[k];
      if (in.reading != Reading::nested) continue;
      const T* const from = static_cast<const T*>(in.data) + offset[k];
      if (in.aligned)
        load_quad(from, true, kQuad, x[k]);
      else
        for (int j = 0; j < kQuad; ++j) x[k][j] = from[static_cast<uint32_t>(j) * in.inner_stride];
    }
    return;
  }
  for (int j = 0; j < kQuad; ++j) {
    if (j >= count) break;
    args.offsets.at(first + static_cast<uint32_t>(j), offset);
    for (int k = 0; k < kArity; ++k)
      if (args.in[k].reading == Reading::nested) x[k][j] = static_cast<const T*>(args.in[k].data)[offset[k]];
  }
}

template <int kArity, typename T, typename R, typename F>
__global__ void __launch_bounds__(kBlockThreads) elementwise_kernel(F f, ElementwiseLaunch<kArity> args) {
  const uint32_t first = (blockIdx.x * blockDim.x + threadIdx.x) * kQuad;
  if (first >= args.n) return;
  const int count = args.n - first < kQuad ? static_cast<int>(args.n - first) : kQuad;
  T x[kArity][kQuad] = {};
  for (int k = 0; k < kArity; ++k) {
    const Operand& in = args.in[k];
    const T* const from = static_cast<const T*>(in.data);
    if (in.reading == Reading::linear) {
      load_quad(from + first, in.aligned, count, x[k]);
    } else if (in.reading == Reading::scalar) {
      const T value = *from;
      for (int j = 0; j < kQuad; ++j) x[k][j] = value;
    }
  }
  if (args.any_nested) load_nested(args, first, count, x);
  R y[kQuad];
  for (int j = 0; j < kQuad; ++j) {
    if constexpr (kArity == 1)
      y[j] = f(x[0][j]);
    else if constexpr (kArity == 2)
      y[j] = f(x[0][j], x[1][j]);
    else
      y[j] = f(x[0][j], x[1][j], x[2][j]);
  }
  store_quad(static_cast<R*>(args.out) + first, args.out_aligned, count, y);
}

/// How operand k + 1 of a narrow nest is read from `data`.
inline Operand read_operand(const Nest& nest, int k, const void* data) {
  Operand operand;
  operand.data = data;
  const int64_t* const stride = nest.stride[k + 1];
  const int last = nest.rank - 1;
  bool linear = true, scalar = true, quads = is_aligned(data);
  for (int i = 0; i < nest.rank; ++i) {
    if (nest.dims[i] == 1) continue;
    linear = linear && stride[i] == nest.stride[0][i];
    scalar = scalar && stride[i] == 0;
    quads = quads && (i == last ? stride[i] == 1 : stride[i] % kQuad == 0);
  }
  operand.reading = linear ? Reading::linear : scalar ? Reading::scalar : Reading::nested;
  operand.aligned = linear ? is_aligned(data) : quads;
  operand.inner_stride = static_cast<uint32_t>(stride[last]);
  return operand;
}

/// at[0][i] = f(at[1][i], …): at[0] of type R and contiguous, the others of type T, strides as the nest says.
template <int kArity, typename T, typename R, typename F>
void launch_elements(const F& f, const Nest& nest, void* const* at, Stream stream, int64_t limit = kNarrow) {
  for_narrow(
      nest,
      [&](const Nest& piece, const PieceOffsets& begin) {
        ElementwiseLaunch<kArity> args;
        args.out = static_cast<R*>(at[0]) + begin.of[0];
        args.n = static_cast<uint32_t>(piece.size());
        args.out_aligned = is_aligned(args.out);
        args.rows_of_quads = piece.dims[piece.rank - 1] % kQuad == 0;
        args.any_nested = false;
        for (int k = 0; k < kArity; ++k) {
          args.in[k] = read_operand(piece, k, static_cast<const T*>(at[k + 1]) + begin.of[k + 1]);
          args.any_nested = args.any_nested || args.in[k].reading == Reading::nested;
        }
        args.offsets = Offsets<kArity>(piece, 1);
        const int64_t blocks = blocks_for(piece.size(), kBlockThreads * kQuad);
        launch(elementwise_kernel<kArity, T, R, F>, static_cast<unsigned>(blocks), kBlockThreads, 0, stream, f, args);
      },
      limit);
}

}  // namespace downhill::cuda
