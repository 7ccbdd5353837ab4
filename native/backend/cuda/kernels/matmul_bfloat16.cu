// Matrix products on tensor cores, operands rounded to bfloat16.
#include "backend/cuda/device/gemm_matmul.cuh"
#include "backend/cuda/device/gemm_mma.cuh"
#include "backend/cuda/device/gemm_tiles.cuh"

namespace downhill::cuda {

void launch_matmul_bfloat16(const MatmulLaunch& args, Stream stream) {
  if (args.args.tile == MatmulTile::large)
    launch_mma_matmul<MmaWarp<Bfloat16, MmaLargeWide>, MmaLargeWide>(args, stream);
  else if (args.args.tile == MatmulTile::medium)
    launch_mma_matmul<MmaWarp<Bfloat16, MmaMedium>, MmaMedium>(args, stream);
  else
    launch_mma_matmul<MmaWarp<Bfloat16, MmaSmall>, MmaSmall>(args, stream);
}

}  // namespace downhill::cuda
