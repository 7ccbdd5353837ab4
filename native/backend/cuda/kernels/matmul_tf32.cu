// Matrix products on tensor cores, operands rounded to TensorFloat-32.
#include "backend/cuda/device/gemm_matmul.cuh"
#include "backend/cuda/device/gemm_mma.cuh"
#include "backend/cuda/device/gemm_tiles.cuh"

namespace downhill::cuda {

void launch_matmul_tf32(const MatmulLaunch& args, Stream stream) {
  if (args.args.tile == MatmulTile::large)
    launch_mma_matmul<MmaWarp<Tf32, MmaLarge>, MmaLarge>(args, stream);
  else if (args.args.tile == MatmulTile::medium)
    launch_mma_matmul<MmaWarp<Tf32, MmaMedium>, MmaMedium>(args, stream);
  else
    launch_mma_matmul<MmaWarp<Tf32, MmaSmall>, MmaSmall>(args, stream);
}

}  // namespace downhill::cuda
