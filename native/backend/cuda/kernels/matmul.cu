// Which kernel a matmul command runs, and the second step of products that were split along the inner dimension.
#include "backend/cuda/commands/matmul.h"
#include "backend/cuda/device/gemm_epilogue.cuh"
#include "backend/cuda/device/gemm_matmul.cuh"
#include "backend/cuda/device/platform.cuh"

namespace downhill::cuda {

namespace {

constexpr int kAddThreads = 128;

/// c (batch · m, n) = activation(partials (splits, batch · m, n) added up in order + bias), or the gradient of one; the
/// partial column sums are one more row. A thread has four columns.
__global__ void __launch_bounds__(kAddThreads) add_splits(const MatmulArgs args, int64_t rows, bool vectors) {
  const BiasActivation epilogue = {
      {args.c, rows, args.n, vectors}, args.bias, args.saved, args.activation, {args.params[0], args.params[1]}};
  const int64_t across = (args.n + 3) / 4, stride = int64_t{gridDim.x} * kAddThreads;
  const int64_t all = (rows + (args.column_sums != nullptr)) * across;
  for (int64_t i = int64_t{blockIdx.x} * kAddThreads + threadIdx.x; i < all; i += stride) {
    const int64_t row = i / across, column = i % across * 4;
    const bool is_sums = row == rows;
    const int64_t size = is_sums ? args.n : rows * args.n;
    const float* const from = args.partials + (is_sums ? args.splits * rows : row) * args.n + column;
    const int64_t left = args.n - column;
    float4 sum = make_float4(0, 0, 0, 0);
    DH_UNROLL_BY(4)
    for (int split = 0; split < args.splits; ++split) {
      const float* const part = from + split * size;
      if (vectors) {
        const float4 four = *reinterpret_cast<const float4*>(part);
        sum.x += four.x, sum.y += four.y, sum.z += four.z, sum.w += four.w;
      } else {
        sum.x += part[0];
        if (left > 1) sum.y += part[1];
        if (left > 2) sum.z += part[2];
        if (left > 3) sum.w += part[3];
      }
    }
    if (is_sums) {
      const bool whole = vectors && reinterpret_cast<uintptr_t>(args.column_sums) % 16 == 0;
      MatrixOutput{args.column_sums, 1, args.n, whole}.store(0, column, sum);
    } else {
      epilogue(row, column, sum);
    }
  }
}

bool aligned(const void* pointer) { return reinterpret_cast<uintptr_t>(pointer) % 16 == 0; }

bool vectors_of(const float* data, int64_t ld, const MatmulArgs& args, const int64_t* strides) {
  bool all = aligned(data) && ld % 4 == 0;
  for (int i = 0; i < args.batch_rank; ++i) all = all && strides[i] % 4 == 0;
  return all;
}

}  // namespace

void launch_matmul(const MatmulArgs& args, Stream stream) {
  MatmulLaunch launch_args = {args, 1, 0, false, false, false};
  for (int i = 0; i < args.batch_rank; ++i) launch_args.batch *= args.batch_dims[i];
  if (launch_args.batch == 0 || args.m == 0 || args.n == 0) return;
  launch_args.vectors_a = vectors_of(args.a, args.lda, args, args.batch_a);
  launch_args.vectors_b = vectors_of(args.b, args.ldb, args, args.batch_b);
  launch_args.vectors_c = aligned(args.splits > 1 ? args.partials : args.c) && args.n % 4 == 0;
  switch (args.kind) {
    case MatmulKind::tf32:
      launch_matmul_tf32(launch_args, stream);
      break;
    case MatmulKind::tf32x3:
      launch_matmul_tf32x3(launch_args, stream);
      break;
    case MatmulKind::bfloat16:
      launch_matmul_bfloat16(launch_args, stream);
      break;
    default:
      launch_matmul_ffma(launch_args, stream);
  }
  if (args.splits == 1) return;
  const int64_t rows = launch_args.batch * args.m;
  const int64_t pieces = (rows + (args.column_sums != nullptr)) * ((args.n + 3) / 4);
  const int64_t blocks = (pieces + kAddThreads - 1) / kAddThreads;
  launch(add_splits, dim3(static_cast<unsigned>(blocks < 65536 ? blocks : 65536)), dim3(kAddThreads), 0, stream, args,
         rows, args.n % 4 == 0 && aligned(args.c) && aligned(args.partials));
}

}  // namespace downhill::cuda
