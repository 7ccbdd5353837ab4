// What conv.cpp and pool.cpp give to the kernel table, once per instruction set.
#pragma once
#include "backend/cpu/kernels/conv.h"

namespace downhill::cpu::DH_ISA {

extern const ConvKernels conv_kernels;
extern const PoolKernels pool_kernels;

}  // namespace downhill::cpu::DH_ISA
