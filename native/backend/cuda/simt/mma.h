// Tensor core instructions as collectives of a whole warp, with the fragment layouts of the PTX ISA ("Warp-level matrix
// instructions"). Products are exact, sums are float32 in the order of k; hardware adds in an order of its own.
#pragma once
#include "backend/cuda/simt/scheduler.h"

namespace downhill::cuda::simt {

void mma_m16n8k8_tf32(float (&d)[4], const uint32_t (&a)[4], const uint32_t (&b)[2], Site site);
void mma_m16n8k16_bf16(float (&d)[4], const uint32_t (&a)[4], const uint32_t (&b)[2], Site site);
/// count: 1, 2 or 4 matrices of 8x8 16-bit elements; lane 8·m + r brings the address of row r of matrix m.
void ldmatrix(uint32_t* registers, int count, bool transposed, const void* row, Site site);

}  // namespace downhill::cuda::simt
