// Matrix products on the float32 cores.
#include "backend/cuda/device/gemm_ffma.cuh"
#include "backend/cuda/device/gemm_matmul.cuh"
#include "backend/cuda/device/gemm_tiles.cuh"

namespace downhill::cuda {

namespace {

template <class Rounding, class Tile>
void launch_tile(const MatmulLaunch& args, Stream stream) {
  if (args.args.column_sums)
    launch_matmul_kernel<FfmaWarp<Rounding, Tile>, Tile, Along::rows, Along::rows, true>(args, stream);
  else
    launch_matmul_kernel<FfmaWarp<Rounding, Tile>, Tile, Along::either, Along::either>(args, stream);
}

}  // namespace

void launch_matmul_ffma(const MatmulLaunch& args, Stream stream) {
  if (args.args.kind == MatmulKind::ffma_bfloat16)
    launch_tile<RoundedToBfloat16, FfmaMedium>(args, stream);  // a stand-in where tensor cores are missing
  else if (args.args.tile == MatmulTile::large)
    launch_tile<Exact, FfmaLarge>(args, stream);
  else if (args.args.tile == MatmulTile::medium)
    launch_tile<Exact, FfmaMedium>(args, stream);
  else
    launch_tile<Exact, FfmaSmall>(args, stream);
}

}  // namespace downhill::cuda
