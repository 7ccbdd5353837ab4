// What recurrent.cpp gives to the kernel table, once per instruction set.
#pragma once
#include "backend/cpu/kernels/recurrent.h"
#include "core/host_device.h"

namespace downhill::cpu::DH_ISA {

extern const RecurrentKernels recurrent_kernels;

}  // namespace downhill::cpu::DH_ISA
