// Convolutions on the float32 cores.
#include "backend/cuda/device/gemm_conv.cuh"
#include "backend/cuda/device/gemm_ffma.cuh"
#include "backend/cuda/device/gemm_tiles.cuh"

namespace downhill::cuda {

void launch_conv_ffma(const ConvLaunch& args, Stream stream) {
  if (args.args.kind == MatmulKind::ffma_bfloat16)
    launch_conv_kernel<FfmaWarp<RoundedToBfloat16, FfmaMedium>, FfmaMedium>(args, stream);
  else
    launch_conv_kernel<FfmaWarp<Exact, FfmaMedium>, FfmaMedium>(args, stream);
}

}  // namespace downhill::cuda
