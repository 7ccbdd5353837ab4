// The sizes of tiles that kernels are compiled for. Chosen by calculation (docs/cuda-matmul.md), not yet by
// measurement.
#pragma once
#include "backend/cuda/device/gemm_main.cuh"

namespace downhill::cuda {

// Rows, columns, depth of a step; a warp's rows and columns; stages; blocks of a multiprocessor.
// Tensor cores:
using MmaLarge = GemmTile<128, 128, 16, 64, 32, 4, 2>;       // 8 warps, up to 68 KiB
using MmaLargeSplit = GemmTile<128, 128, 16, 64, 32, 4, 0>;  // the same with registers for operands in two parts
using MmaLargeWide = GemmTile<128, 256, 16, 64, 64, 4, 0>;   // 8 warps, up to 98 KiB: bfloat16 is bound by reads
using MmaMedium = GemmTile<64, 64, 32, 32, 32, 3, 3>;        // 4 warps, up to 54 KiB
using MmaMediumSplit = GemmTile<64, 64, 32, 32, 32, 3, 0>;   // the same for operands in two parts
using MmaSmall = GemmTile<64, 32, 32, 32, 16, 4, 4>;         // 4 warps, up to 56 KiB

// Float32 cores:
using FfmaLarge = GemmTile<128, 128, 8, 64, 32, 4, 2>;  // 8 warps, 33 KiB
using FfmaMedium = GemmTile<64, 64, 16, 32, 32, 4, 4>;  // 4 warps, 34 KiB
using FfmaSmall = GemmTile<64, 32, 16, 32, 16, 4, 4>;   // 4 warps, 26 KiB

}  // namespace downhill::cuda
