// What matmul.cpp gives to the kernel table, once per instruction set.
#pragma once
#include "backend/cpu/kernels/matmul.h"
#include "core/host_device.h"

namespace downhill::cpu::DH_ISA {

extern const MatmulKernels matmul_kernels;

}  // namespace downhill::cpu::DH_ISA
