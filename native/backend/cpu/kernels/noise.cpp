// Dropout and its relatives: numbers are drawn for many elements at a time.
#include "ops/noise.h"
#include "backend/cpu/kernels/entries.h"
#include "backend/cpu/kernels/philox_lanes.h"

namespace downhill::cpu::DH_ISA {

namespace {

constexpr int64_t kBlock = 4 * kDrawBlocks;

/// The numbers that the functor takes, of kBlock words.
template <typename F>
void numbers_of(const uint32_t* words, float* numbers) {
  if constexpr (F::kNormal) {
#pragma GCC ivdep
    for (int64_t i = 0; i < kBlock; i += 2)
      downhill::DH_ISA::normal(words[i], words[i + 1], numbers[i], numbers[i + 1]);
  } else {
#pragma GCC ivdep
    for (int64_t i = 0; i < kBlock; ++i) numbers[i] = downhill::DH_ISA::uniform(words[i]);
  }
}

template <typename F>
void noise(const float* x, float* y, int64_t begin, int64_t n, const NoiseParams& params, uint64_t step) {
  alignas(64) uint32_t words[kBlock];
  alignas(64) float numbers[kBlock];
  const F f(params.amount);
  int64_t skip = begin % 4;  // numbers of the first counter that belong to elements before
  for (int64_t at = 0; at < n; skip = 0) {
    draw(params.key, step, static_cast<uint64_t>((begin + at) / 4), words);
    numbers_of<F>(words, numbers);
    const int64_t left = n - at, count = kBlock - skip < left ? kBlock - skip : left;
    const float* from = x + at;
    float* to = y + at;
#pragma GCC ivdep
    for (int64_t i = 0; i < count; ++i) to[i] = f(from[i], numbers[skip + i]);
    at += count;
  }
}

}  // namespace

void fill_noise(NoiseKernels& table) {
  using namespace downhill::DH_ISA;
  table = {noise<Dropout>, noise<GaussianDropout>, noise<GaussianNoise>};
}

}  // namespace downhill::cpu::DH_ISA
