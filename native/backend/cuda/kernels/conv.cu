// Which kernel a convolution runs, and the second step of kernel gradients whose sum was split.
#include "backend/cuda/commands/conv.h"
#include "backend/cuda/device/gemm_conv.cuh"
#include "backend/cuda/device/platform.cuh"
#include "backend/cuda/kernels/grid.cuh"

namespace downhill::cuda {

namespace {

constexpr int kAddThreads = 256;

/// d_w (taps · c, groups · co) = partials (splits, groups, taps · c, co) added up in order.
__global__ void __launch_bounds__(kAddThreads) add_partials(const ConvArgs args) {
  const int64_t rows = args.rows(), columns = args.columns(), groups = args.shape.groups;
  const int64_t size = rows * groups * columns, stride = int64_t{gridDim.x} * kAddThreads;
  for (int64_t i = int64_t{blockIdx.x} * kAddThreads + threadIdx.x; i < size; i += stride) {
    const Division row = divide(i, groups * columns), column = divide(row.remainder, columns);
    const float* const from = args.partials + (column.quotient * rows + row.quotient) * columns + column.remainder;
    float sum = 0;
    for (int split = 0; split < args.splits; ++split) sum += from[split * size];
    args.to[i] = sum;
  }
}

bool aligned(const void* pointer) { return reinterpret_cast<uintptr_t>(pointer) % 16 == 0; }

}  // namespace

void launch_conv(const ConvArgs& args, Stream stream) {
  const ConvShape& s = args.shape;
  const bool fours = s.c % 4 == 0, filters_by_four = s.co % 4 == 0;
  ConvLaunch launch_args = {args, false, false, false};
  switch (args.pass) {
    case ConvPass::forward:
      launch_args.vectors_a = fours && aligned(args.x);
      launch_args.vectors_b = filters_by_four && aligned(args.w);
      break;
    case ConvPass::input_gradient:
      launch_args.vectors_a = filters_by_four && aligned(args.d_y);
      launch_args.vectors_b = filters_by_four && aligned(args.w);
      break;
    default:
      launch_args.vectors_a = fours && aligned(args.x);
      launch_args.vectors_b = filters_by_four && aligned(args.d_y);
  }
  launch_args.vectors_c = aligned(args.splits > 1 ? args.partials : args.to) && args.columns() % 4 == 0;
  if (args.kind == MatmulKind::ffma || args.kind == MatmulKind::ffma_bfloat16)
    launch_conv_ffma(launch_args, stream);
  else
    launch_conv_mma(launch_args, stream);
  if (args.splits > 1)
    launch(add_partials, dim3(grid_for(args.rows() * s.groups * args.columns(), kAddThreads)), dim3(kAddThreads), 0,
           stream, args);
}

}  // namespace downhill::cuda
