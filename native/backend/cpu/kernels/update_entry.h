// What update.cpp gives to the kernel table, once per instruction set.
#pragma once
#include "backend/cpu/kernels/table.h"
#include "core/host_device.h"

namespace downhill::cpu::DH_ISA {

/// Fills table.update, table.sum_of_squares, table.add_to and table.all_finite.
void add_update_kernels(KernelTable& table);

}  // namespace downhill::cpu::DH_ISA
