#include "backend/cpu/processor.h"

#if defined(__x86_64__)
#include <cpuid.h>
#if defined(__linux__)
#include <sys/syscall.h>
#include <unistd.h>
#endif

#include <cstdint>
#include <cstring>

namespace downhill::cpu {

namespace {

struct Cpuid {
  uint32_t eax = 0, ebx = 0, ecx = 0, edx = 0;
  Cpuid(uint32_t leaf, uint32_t subleaf) { __get_cpuid_count(leaf, subleaf, &eax, &ebx, &ecx, &edx); }
};

/// The family of an AMD processor; 0: another maker's.
uint32_t amd_family() {
  const Cpuid maker(0, 0), version(1, 0);
  char name[12];
  std::memcpy(name, &maker.ebx, 4);
  std::memcpy(name + 4, &maker.edx, 4);
  std::memcpy(name + 8, &maker.ecx, 4);
  if (std::memcmp(name, "AuthenticAMD", 12) != 0) return 0;
  return (version.eax >> 8 & 0xf) + (version.eax >> 20 & 0xff);
}

/// Tile data are large, so Linux saves them only for processes that asked.
bool ask_for_tiles() {
#if defined(__linux__) && defined(SYS_arch_prctl)
  constexpr int kRequest = 0x1023, kTileData = 18;  // ARCH_REQ_XCOMP_PERM, XFEATURE_XTILEDATA
  return syscall(SYS_arch_prctl, kRequest, kTileData) == 0;
#else
  return false;
#endif
}

}  // namespace

bool has_avx2() {
  return __builtin_cpu_supports("avx2") && __builtin_cpu_supports("fma") && __builtin_cpu_supports("f16c");
}

bool has_avx512() {
  return __builtin_cpu_supports("avx512f") && __builtin_cpu_supports("avx512bw") &&
         __builtin_cpu_supports("avx512vl") && __builtin_cpu_supports("avx512dq") && __builtin_cpu_supports("fma");
}

bool has_avx512_bf16() { return has_avx512() && (Cpuid(7, 1).eax >> 5 & 1); }

bool avx512_bf16_is_fast() {
  constexpr uint32_t kZen4 = 0x19;  // of the family, only Zen 4 has the instructions
  return has_avx512_bf16() && amd_family() >= kZen4;
}

bool may_use_amx() {
  static const bool may = [] {
    const uint32_t features = Cpuid(7, 0).edx;
    const bool has_bf16 = features >> 22 & 1, has_tiles = features >> 24 & 1;
    return has_bf16 && has_tiles && has_avx512_bf16() && ask_for_tiles();
  }();
  return may;
}

}  // namespace downhill::cpu
#endif
