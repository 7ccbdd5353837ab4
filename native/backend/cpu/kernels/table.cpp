// Puts the kernels of this instruction set together.
#include "backend/cpu/kernels/attention_entry.h"
#include "backend/cpu/kernels/conv_entry.h"
#include "backend/cpu/kernels/entries.h"
#include "backend/cpu/kernels/matmul_entry.h"
#include "backend/cpu/kernels/recurrent_entry.h"
#include "backend/cpu/kernels/update_entry.h"

#define DH_TEXT(x) #x
#define DH_NAME(x) DH_TEXT(x)
#define DH_JOIN(a, b) a##b
#define DH_TABLE_OF(isa) DH_JOIN(table_of_, isa)

namespace downhill::cpu {

const KernelTable& DH_TABLE_OF(DH_ISA)() {
  static const KernelTable table = [] {
    KernelTable t{};
    t.isa = DH_NAME(DH_ISA);
    t.matmul = DH_ISA::matmul_kernels;
    DH_ISA::fill_elementwise(t);
    DH_ISA::fill_rows(t.rows);
    DH_ISA::fill_normalization(t.normalization);
    DH_ISA::fill_reduce(t.reduce);
    DH_ISA::fill_movement(t.movement);
    DH_ISA::fill_noise(t.noise);
    DH_ISA::fill_random(t.random);
    t.multiply_adds = DH_ISA::multiply_adds;
    DH_ISA::fill_sparse(t.sparse);
    t.attention = DH_ISA::attention_kernels;
    t.recurrent = DH_ISA::recurrent_kernels;
    t.conv = DH_ISA::conv_kernels;
    t.pool = DH_ISA::pool_kernels;
    DH_ISA::add_update_kernels(t);
    return t;
  }();
  return table;
}

}  // namespace downhill::cpu
