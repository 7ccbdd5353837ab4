// Chooses the kernel table: the widest instruction set that this processor has and the build carries.
#include <atomic>

#include "backend/backend.h"
#include "backend/cpu/kernels/table.h"
#include "core/error.h"

namespace downhill::cpu {

namespace {

struct Candidate {
  const char* name;
  const KernelTable& (*table)();
  bool (*supported)();
};

// From the plainest to the widest. The baseline of arm64 is NEON.
const Candidate kCandidates[] = {
    {"baseline", table_of_baseline, [] { return true; }},
#if defined(DOWNHILL_HAS_AVX2)
    {"avx2", table_of_avx2,
     [] { return __builtin_cpu_supports("avx2") && __builtin_cpu_supports("fma") && __builtin_cpu_supports("f16c"); }},
#endif
#if defined(DOWNHILL_HAS_AVX512)
    {"avx512", table_of_avx512,
     [] {
       return __builtin_cpu_supports("avx512f") && __builtin_cpu_supports("avx512bw") &&
              __builtin_cpu_supports("avx512vl") && __builtin_cpu_supports("avx512dq") && __builtin_cpu_supports("fma");
     }},
#endif
};

const KernelTable* best() {
  const KernelTable* table = nullptr;
  for (const Candidate& candidate : kCandidates)
    if (candidate.supported()) table = &candidate.table();
  return table;
}

std::atomic<const KernelTable*>& chosen() {
  static std::atomic<const KernelTable*> table{best()};
  return table;
}

}  // namespace

const KernelTable& kernels() { return *chosen().load(std::memory_order_acquire); }
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
    if (name == candidate.name) return chosen().store(&candidate.table(), std::memory_order_release);
    known += (known.empty() ? "" : ", ") + std::string(candidate.name);
  }
  throw Error(code::kUnknownName,
              "Unknown instruction set \"" + name + "\" on this machine. Available: " + known + ".");
}

}  // namespace downhill::cpu
