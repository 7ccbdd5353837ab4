// What the files of this folder give to the kernel table, once per instruction set.
#pragma once
#include "backend/cpu/kernels/table.h"
#include "core/host_device.h"

namespace downhill::cpu::DH_ISA {

void fill_elementwise(KernelTable& table);  // elementwise and activate
void fill_rows(RowKernels& rows);
void fill_normalization(NormalizationKernels& normalization);
void fill_reduce(ReduceKernels& reduce);
void fill_movement(MovementKernels& movement);
void fill_noise(NoiseKernels& noise);
void fill_random(RandomKernels& random);
double multiply_adds(int64_t rounds, float* sums);  // sums: (64)
void fill_sparse(SparseKernels& sparse);

}  // namespace downhill::cpu::DH_ISA
