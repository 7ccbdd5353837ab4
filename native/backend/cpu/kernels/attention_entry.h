// What attention.cpp gives to the kernel table, once per instruction set.
#pragma once
#include "backend/cpu/kernels/attention.h"
#include "core/host_device.h"

namespace downhill::cpu::DH_ISA {

extern const AttentionKernels attention_kernels;

}  // namespace downhill::cpu::DH_ISA
