// Chooses the kernel table: the widest instruction set that this processor has and the build carries.
#include <atomic>

#include "backend/backend.h"
#include "backend/cpu/kernels/bfloat16/entries.h"
#include "backend/cpu/kernels/table.h"
#include "backend/cpu/processor.h"
#include "core/error.h"

namespace downhill::cpu {

namespace {

struct Candidate {
  const char* name;
  const KernelTable& (*table)();
  /// With products of operands rounded to bfloat16, where they are faster; else null.
  const KernelTable* (*bfloat16_table)();
  bool (*supported)();
};

const KernelTable* no_table() { return nullptr; }

#if defined(DOWNHILL_HAS_AMX)
KernelTable with_products(const char* isa, const MatmulKernels& matmul, const RecurrentKernels& recurrent,
                          const ConvKernels& conv) {
  KernelTable table = table_of_avx512();
  table.isa = isa;
  table.matmul = matmul;
  table.recurrent = recurrent;
  table.conv = conv;
  return table;
}

const KernelTable* bfloat16_of_avx512() {
  if (!avx512_bf16_is_fast()) return nullptr;
  static const KernelTable table =
      with_products("avx512", avx512_bf16::bfloat16_kernels, avx512_bf16::bfloat16_recurrent_kernels,
                    avx512_bf16::bfloat16_conv_kernels);
  return &table;
}

const KernelTable& table_of_amx() {
  static const KernelTable table = with_products("amx", amx::matmul_kernels, amx::recurrent_kernels, amx::conv_kernels);
  return table;
}

const KernelTable* bfloat16_of_amx() {
  static const KernelTable table =
      with_products("amx", amx::bfloat16_kernels, amx::bfloat16_recurrent_kernels, amx::bfloat16_conv_kernels);
  return &table;
}
#else
[[maybe_unused]] const KernelTable* bfloat16_of_avx512() { return nullptr; }
#endif

// From the plainest to the widest. The baseline of arm64 is NEON.
const Candidate kCandidates[] = {
    {"baseline", table_of_baseline, no_table, [] { return true; }},
#if defined(DOWNHILL_HAS_AVX2)
    {"avx2", table_of_avx2, no_table, has_avx2},
#endif
#if defined(DOWNHILL_HAS_AVX512)
    {"avx512", table_of_avx512, bfloat16_of_avx512, has_avx512},
#endif
#if defined(DOWNHILL_HAS_AMX)
    {"amx", table_of_amx, bfloat16_of_amx, may_use_amx},
#endif
};

const Candidate* best() {
  const Candidate* widest = nullptr;
  for (const Candidate& candidate : kCandidates)
    if (candidate.supported()) widest = &candidate;
  return widest;
}

std::atomic<const Candidate*>& chosen() {
  static std::atomic<const Candidate*> candidate{best()};
  return candidate;
}

}  // namespace

const KernelTable& kernels() { return chosen().load(std::memory_order_acquire)->table(); }
const KernelTable* bfloat16_kernel_table() { return chosen().load(std::memory_order_acquire)->bfloat16_table(); }
const char* isa() { return kernels().isa; }

std::vector<std::string> available_isas() {
  std::vector<std::string> names;
  for (const Candidate& candidate : kCandidates)
    if (candidate.supported()) names.push_back(candidate.name);
  return names;
}

void select_isa(const std::string& name) {
  std::string known;
  for (const Candidate& candidate : kCandidates) {
    if (!candidate.supported()) continue;
    if (name == candidate.name) return chosen().store(&candidate, std::memory_order_release);
    known += (known.empty() ? "" : ", ") + std::string(candidate.name);
  }
  throw Error(code::kUnknownName,
              "Unknown instruction set \"" + name + "\" on this machine. Available: " + known + ".");
}

}  // namespace downhill::cpu
