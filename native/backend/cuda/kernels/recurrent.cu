// Recurrences. A block has a row and walks through its time steps; a thread has every kThreads-th unit. What a step
// needs of the one before is read from the results, behind a barrier.
#include "backend/cuda/commands/recurrent.h"

#include "backend/cuda/device/platform.cuh"
#include "backend/cuda/kernels/grid.cuh"

namespace downhill::cuda {

namespace {

using downhill::DH_ISA::with_cell;

constexpr int kThreads = 128;

__device__ __forceinline__ bool is_masked(const RecurrentArgs& args, int64_t row, int64_t t) {
  return args.mask && args.mask[row * args.steps + t] == 0.0f;
}

template <typename C>
__global__ void __launch_bounds__(kThreads) forward_kernel(const RecurrentArgs args) {
  constexpr CellSizes kSizes = sizes_of(C::kCell);
  const int64_t units = args.units, gates = kSizes.gates * units, states = kSizes.states * units;
  for (int64_t row = blockIdx.x; row < args.n; row += gridDim.x) {
    const float *h = args.h ? args.h + row * units : nullptr, *c = args.c ? args.c + row * units : nullptr;
    for (int64_t t = 0; t < args.steps; ++t) {
      const float* const x = args.x + (row * args.steps + t) * gates;
      float* const to = args.to + (row * args.steps + t) * states;
      const bool masked = is_masked(args, row, t);
      for (int64_t j = threadIdx.x; j < units; j += kThreads) {
        if (masked) {
          to[j] = h ? h[j] : 0.0f;
          if (kSizes.carried > 1) to[units + j] = c ? c[j] : 0.0f;
          DH_UNROLL
          for (int64_t s = kSizes.carried; s < kSizes.states; ++s) to[s * units + j] = 0.0f;
          continue;
        }
        float in[kSizes.gates], product[kSizes.gates], out[kSizes.states];
        DH_UNROLL
        for (int64_t g = 0; g < kSizes.gates; ++g) in[g] = x[g * units + j], product[g] = 0.0f;
        if (h) {
          for (int64_t k = 0; k < units; ++k) {
            DH_UNROLL
            for (int64_t g = 0; g < kSizes.gates; ++g) product[g] += h[k] * args.kernel[k * gates + g * units + j];
          }
        }
        if (args.bias) {
          DH_UNROLL
          for (int64_t g = 0; g < kSizes.gates; ++g) product[g] += args.bias[g * units + j];
        }
        C::forward(in, product, h ? h[j] : 0.0f, c ? c[j] : 0.0f, out);
        DH_UNROLL
        for (int64_t s = 0; s < kSizes.states; ++s) to[s * units + j] = out[s];
      }
      __syncthreads();
      h = to;
      c = kSizes.carried > 1 ? to + units : nullptr;
    }
  }
}

/// Of unit j: Σ gradients of the gates · kernel.
template <int64_t kGates>
__device__ __forceinline__ float product_of(const float* gradients, const float* kernel, int64_t units, int64_t j) {
  float sum = 0;
  for (int64_t k = 0; k < kGates * units; ++k) sum += gradients[k] * kernel[j * kGates * units + k];
  return sum;
}

template <typename C>
__global__ void __launch_bounds__(kThreads) backward_kernel(const RecurrentArgs args) {
  constexpr CellSizes kSizes = sizes_of(C::kCell);
  const int64_t units = args.units, states = kSizes.states * units, width = kSizes.gradients * units;
  const int64_t steps_out = args.steps + args.initial;
  for (int64_t row = blockIdx.x; row < args.n; row += gridDim.x) {
    float *const d_h = args.carried + row * 2 * units, *const d_c = d_h + units;
    float* const to = args.to + row * steps_out * width;
    for (int64_t t = args.steps - 1; t >= 0; --t) {
      const float* const s = args.states + (row * args.steps + t) * states;
      const float* const d = args.d + (row * args.steps + t) * args.width;
      const float* const h = t > 0 ? s - states : args.h ? args.h + row * units : nullptr;
      const float* const c = t > 0    ? s - states + (kSizes.carried > 1 ? units : 0)
                             : args.c ? args.c + row * units
                                      : nullptr;
      const bool last = t + 1 == args.steps, full = args.width != units;
      const bool masked = is_masked(args, row, t), product = !last && !is_masked(args, row, t + 1);
      for (int64_t j = threadIdx.x; j < units; j += kThreads) {
        float own_h = last ? 0.0f : d_h[j], own_c = last ? 0.0f : d_c[j];
        if (product) own_h += product_of<kSizes.gates>(to + (t + 1) * width, args.kernel, units, j);
        if (masked) {  // the step before has all of what this one was given
          d_h[j] = own_h + d[j];
          d_c[j] = own_c + (full && kSizes.carried > 1 ? d[units + j] : 0.0f);
          DH_UNROLL
          for (int64_t i = 0; i < kSizes.gradients; ++i) to[t * width + i * units + j] = 0.0f;
          continue;
        }
        float own[kSizes.states], of[kSizes.states], g[kSizes.gradients];
        DH_UNROLL
        for (int64_t i = 0; i < kSizes.states; ++i) {
          own[i] = s[i * units + j];
          of[i] = i == 0 || full ? d[i * units + j] : 0.0f;
        }
        C::backward(own, h ? h[j] : 0.0f, c ? c[j] : 0.0f, of, own_h, own_c, g);
        d_h[j] = own_h;
        d_c[j] = own_c;
        DH_UNROLL
        for (int64_t i = 0; i < kSizes.gradients; ++i) to[t * width + i * units + j] = g[i];
      }
      __syncthreads();
    }
    if (!args.initial) continue;
    float* const end = to + args.steps * width;
    const bool none = args.steps == 0;
    for (int64_t j = threadIdx.x; j < units; j += kThreads) {
      DH_UNROLL
      for (int64_t i = kSizes.carried; i < kSizes.gradients; ++i) end[i * units + j] = 0.0f;
      end[j] = none ? 0.0f : d_h[j] + product_of<kSizes.gates>(to, args.kernel, units, j);
      if (kSizes.carried > 1) end[units + j] = none ? 0.0f : d_c[j];
    }
  }
}

}  // namespace

void launch_recurrent(const RecurrentArgs& args, Stream stream) {
  if (args.n == 0 || args.units == 0) return;
  with_cell(args.cell, [&](auto cell) {
    using C = decltype(cell);
    launch(args.backward ? backward_kernel<C> : forward_kernel<C>, dim3(grid_for(args.n, 1)), dim3(kThreads), 0, stream,
           args);
  });
}

}  // namespace downhill::cuda
