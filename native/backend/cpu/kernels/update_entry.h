// What update.cpp gives to the kernel table, once per instruction set.
#pragma once
#include "backend/cpu/kernels/table.h"
#include "core/host_device.h"

namespace downhill::cpu::DH_ISA {

/// Fills table.update, table.measure, and the reductions and tests that stand beside them.
void add_update_kernels(KernelTable& table);

}  // namespace downhill::cpu::DH_ISA
