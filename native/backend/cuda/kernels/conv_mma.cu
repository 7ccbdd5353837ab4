// Convolutions on tensor cores.
#include "backend/cuda/device/gemm_conv.cuh"
#include "backend/cuda/device/gemm_mma.cuh"
#include "backend/cuda/device/gemm_tiles.cuh"

namespace downhill::cuda {

void launch_conv_mma(const ConvLaunch& args, Stream stream) {
  switch (args.args.kind) {
    case MatmulKind::tf32:
      return launch_conv_kernel<MmaWarp<Tf32, MmaMedium>, MmaMedium>(args, stream);
    case MatmulKind::tf32x3:
      return launch_conv_kernel<MmaWarp<Tf32x3, MmaMediumSplit>, MmaMediumSplit>(args, stream);
    default:
      return launch_conv_kernel<MmaWarp<Bfloat16, MmaMedium>, MmaMedium>(args, stream);
  }
}

}  // namespace downhill::cuda
