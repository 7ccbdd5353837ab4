// Matrix products on tensor cores with the accuracy of float32, from three products of TensorFloat-32 parts.
#include "backend/cuda/device/gemm_matmul.cuh"
#include "backend/cuda/device/gemm_mma.cuh"
#include "backend/cuda/device/gemm_tiles.cuh"

namespace downhill::cuda {

void launch_matmul_tf32x3(const MatmulLaunch& args, Stream stream) {
  if (args.args.tile == MatmulTile::large)
    launch_mma_matmul<MmaWarp<Tf32x3, MmaLargeSplit>, MmaLargeSplit>(args, stream);
  else if (args.args.tile == MatmulTile::medium)
    launch_mma_matmul<MmaWarp<Tf32x3, MmaMediumSplit>, MmaMediumSplit>(args, stream);
  else
    launch_mma_matmul<MmaWarp<Tf32x3, MmaSmall>, MmaSmall>(args, stream);
}

}  // namespace downhill::cuda
