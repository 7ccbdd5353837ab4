// The most multiply-adds that this instruction set makes: as many sums in registers as a tile of a matrix product has.
#include "backend/cpu/kernels/entries.h"
#include "backend/cpu/kernels/matmul_vec.h"

namespace downhill::cpu::DH_ISA {

double multiply_adds(int64_t rounds, float* sums) {
  constexpr int kSums = kTileRows * kTileVecs;
  static_assert(kSums < 63, "as many floats as entries.h says");
  const float factor = 0.5f;
  const Vec a = broadcast(&factor), b = broadcast(&sums[63]);
  Vec sum[kSums];  // loaded, so that the compiler does not know them to be equal
#pragma GCC unroll 32
  for (int i = 0; i < kSums; ++i) sum[i] = broadcast(&sums[i]);
  for (int64_t round = 0; round < rounds; ++round) {
#pragma GCC unroll 32
    for (int i = 0; i < kSums; ++i) sum[i] = fma(sum[i], a, b);
  }
  Vec total = zero();
#pragma GCC unroll 32
  for (int i = 0; i < kSums; ++i) total = add(total, sum[i]);
  store(sums, total);
  return 2.0 * kSums * kWidth * static_cast<double>(rounds);
}

}  // namespace downhill::cpu::DH_ISA
