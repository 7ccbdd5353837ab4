// What happens to a finished tile of c on its way to memory. A policy:
//
//   void operator()(int64_t row, int64_t column, float4 sums)   stores what becomes of four neighbours
#pragma once
#include "backend/cuda/device/activation.cuh"
#include "backend/cuda/device/platform.cuh"

namespace downhill::cuda {

/// Four neighbours of a row of c (m, n), as far as they exist.
struct MatrixOutput {
  float* c;
  int64_t m, n;
  bool vectors;  // c and n: multiples of 16 bytes

  __device__ __forceinline__ void store(int64_t row, int64_t column, float4 x) const {
    if (row >= m || column >= n) return;
    float* const to = c + row * n + column;
    if (vectors) {  // then all four exist
      *reinterpret_cast<float4*>(to) = x;
      return;
    }
    to[0] = x.x;
    if (column + 1 < n) to[1] = x.y;
    if (column + 2 < n) to[2] = x.z;
    if (column + 3 < n) to[3] = x.w;
  }
  /// Of another matrix of this shape; row and column exist.
  __device__ __forceinline__ float4 load(const float* matrix, int64_t row, int64_t column) const {
    const float* const from = matrix + row * n + column;
    if (vectors && reinterpret_cast<uintptr_t>(matrix) % 16 == 0) return *reinterpret_cast<const float4*>(from);
    return make_float4(from[0], column + 1 < n ? from[1] : 0, column + 2 < n ? from[2] : 0,
                       column + 3 < n ? from[3] : 0);
  }
};

/// Not inlined, and everything passed by value: nothing of the caller's has to leave its registers for it.
inline __device__ __attribute__((noinline)) float4 activate_four(Op op, float first, float second, float4 x) {
  const float params[2] = {first, second};
  x.x = activate(op, params, x.x), x.y = activate(op, params, x.y);
  x.z = activate(op, params, x.z), x.w = activate(op, params, x.w);
  return x;
}

/// The same for the gradient of an activation.
inline __device__ __attribute__((noinline)) float4 gradient_four(Op op, float first, float second, float4 saved,
                                                                 float4 x) {
  const float params[2] = {first, second};
  x.x = activation_gradient(op, params, saved.x, x.x), x.y = activation_gradient(op, params, saved.y, x.y);
  x.z = activation_gradient(op, params, saved.z, x.z), x.w = activation_gradient(op, params, saved.w, x.w);
  return x;
}

/// activation(sums + bias); where something was saved for it, activation(saved, sums + bias), a gradient.
struct BiasActivation {
  MatrixOutput output;
  const float* bias;   // (n); null: none
  const float* saved;  // (m, n); null: none
  Op activation;
  float params[2];

  __device__ __forceinline__ void operator()(int64_t row, int64_t column, float4 x) const {
    if (row >= output.m || column >= output.n) return;
    if (bias) {
      x.x += bias[column];
      if (column + 1 < output.n) x.y += bias[column + 1];
      if (column + 2 < output.n) x.z += bias[column + 2];
      if (column + 3 < output.n) x.w += bias[column + 3];
    }
    if (saved) {
      const float4 before = output.load(saved, row, column);
      if (activation == Op::reluGrad) {
        const downhill::DH_ISA::ReluGrad relu;
        x = make_float4(relu(before.x, x.x), relu(before.y, x.y), relu(before.z, x.z), relu(before.w, x.w));
      } else {
        x = gradient_four(activation, params[0], params[1], before, x);
      }
    } else if (activation == Op::relu) {
      const downhill::DH_ISA::Relu relu;
      x = make_float4(relu(x.x), relu(x.y), relu(x.z), relu(x.w));
    } else if (activation != Op::identity) {
      x = activate_four(activation, params[0], params[1], x);
    }
    output.store(row, column, x);
  }
};

}  // namespace downhill::cuda
