// core/philox.h: the published known-answer vectors (Random123, kat_vectors), range and moments.
#include "core/philox.h"

#include <algorithm>
#include <cmath>
#include <string>
#include <vector>

#include "backend/backend.h"
#include "backend/cpu/kernels/table.h"
#include "check.h"
#include "ops/noise.h"

using namespace downhill::DH_ISA;

namespace {

struct Known {
  uint32_t counter[4], key[2], result[4];
};
constexpr Known kKnown[] = {
    {{0, 0, 0, 0}, {0, 0}, {0x6627e8d5, 0xe169c58d, 0xbc57ac4c, 0x9b00dbd8}},
    {{0xffffffff, 0xffffffff, 0xffffffff, 0xffffffff},
     {0xffffffff, 0xffffffff},
     {0x408f276d, 0x41c83b0e, 0xa20bc7c6, 0x6d5451fd}},
    {{0x243f6a88, 0x85a308d3, 0x13198a2e, 0x03707344},
     {0xa4093822, 0x299f31d0},
     {0xd16cfe09, 0x94fdcceb, 0x5001e420, 0x24126ea1}},
};

void known_answers() {
  for (const Known& k : kKnown) {
    const Philox4 r = philox(k.key[0], k.key[1], k.counter[0], k.counter[1], k.counter[2], k.counter[3]);
    for (int i = 0; i < 4; ++i) CHECK(r.v[i] == k.result[i], "word %d: %08x, expected %08x", i, r.v[i], k.result[i]);
  }
}

void counters() {
  const Philox4 a = philox(uint64_t{0x0000000200000001}, uint64_t{0x0000000600000005}, uint64_t{0x0000000400000003});
  const Philox4 b = philox(1, 2, 3, 4, 5, 6);
  CHECK(std::equal(a.v, a.v + 4, b.v), "key = (low, high), counter = (block, step)");
}

void truncated() {
  CHECK(truncated_normal(0) == 0.0f);
  CHECK(std::fabs(truncated_normal(0x7fffffffu) - 2.0f) < 1e-6f && truncated_normal(0x7fffffffu) <= 2.0f);
  CHECK(truncated_normal(0x80000000u) == -truncated_normal(0x7fffffffu), "symmetric");
  // The distribution function gives y back: erf(x / √2) = y, uniform in ±erf(√2).
  float before = -3.0f;
  for (int64_t i = -(int64_t{1} << 31); i < (int64_t{1} << 31); i += 1 << 19) {
    const float x = truncated_normal(static_cast<uint32_t>(i));
    const double y = static_cast<double>(i) / 2147483648.0 * std::erf(std::sqrt(2.0));
    CHECK(std::fabs(std::erf(static_cast<double>(x) / std::sqrt(2.0)) - y) < 3e-7, "%g of %g", x, y);
    CHECK(x >= before, "monotonic at %g", x);
    before = x;
  }
}

void moments() {
  CHECK(uniform(0) == 0.0f && uniform(0xffffffffu) < 1.0f);
  float extreme, other;
  normal(0, 0, extreme, other);
  CHECK(std::isfinite(extreme) && extreme > 6.7f && extreme < 6.8f, "largest normal %g", extreme);
  double mean = 0, square = 0, cube = 0, fourth = 0, flat = 0;
  const int n = 1 << 20;
  for (int i = 0; i < n; i += 4) {
    const Philox4 r = philox(uint64_t{42}, 7, static_cast<uint64_t>(i / 4));
    float z[4];
    normal(r.v[0], r.v[1], z[0], z[1]);
    normal(r.v[2], r.v[3], z[2], z[3]);
    for (int l = 0; l < 4; ++l) {
      const double x = z[l];
      mean += x, square += x * x, cube += x * x * x, fourth += x * x * x * x, flat += uniform(r.v[l]);
    }
  }
  CHECK(std::fabs(mean / n) < 0.005 && std::fabs(square / n - 1) < 0.01, "mean %g, variance %g", mean / n, square / n);
  CHECK(std::fabs(cube / n) < 0.02 && std::fabs(fourth / n - 3) < 0.06, "skewness %g, kurtosis %g", cube / n,
        fourth / n);
  CHECK(std::fabs(flat / n - 0.5) < 0.002, "mean of uniforms %g", flat / n);
}

/// The number of an element as the functor takes it.
template <typename F>
float number_of(const Philox4& draws, uint64_t element) {
  if (!F::kNormal) return uniform(draws.v[element % 4]);
  float pair[2];
  normal(draws.v[element % 4 / 2 * 2], draws.v[element % 4 / 2 * 2 + 1], pair[0], pair[1]);
  return pair[element % 2];
}

template <typename F>
void expect_draws(const std::string& isa, downhill::cpu::NoiseFn noise, int64_t begin, int64_t n) {
  const uint64_t key = 0x0123456789abcdef, step = 0x300000002;
  std::vector<float> x(static_cast<size_t>(n)), y(static_cast<size_t>(n) + 1, -1.0f);
  for (int64_t i = 0; i < n; ++i) x[static_cast<size_t>(i)] = 1.0f + static_cast<float>(i);
  noise(x.data(), y.data(), begin, n, {0.3f, key}, step);
  const F f(0.3f);
  int64_t wrong = 0;
  for (int64_t i = 0; i < n; ++i) {
    const auto element = static_cast<uint64_t>(begin + i);
    const float number = number_of<F>(philox(key, step, element / 4), element);
    wrong += y[static_cast<size_t>(i)] != f(x[static_cast<size_t>(i)], number);
  }
  CHECK(wrong == 0 && y.back() == -1.0f, "%s: %d of %d elements from %lld on", isa.c_str(), static_cast<int>(wrong),
        static_cast<int>(n), static_cast<long long>(begin));
}

/// Noise draws many counters at a time: the numbers of each element are those of its own counter, wherever a piece
/// begins, across the lower half of the counter, and on every instruction set.
void drawn_side_by_side() {
  namespace cpu = downhill::cpu;
  const int64_t begins[] = {0, 1, 2, 3, 60, 61, 127, 4 * ((int64_t{1} << 32) - 7) + 1, (int64_t{1} << 40) + 6};
  for (const std::string& isa : cpu::available_isas()) {
    cpu::select_isa(isa);
    for (int64_t begin : begins)
      for (int64_t n : {1, 3, 4, 63, 64, 65, 130, 500}) {
        expect_draws<Dropout>(isa, cpu::kernels().noise.dropout, begin, n);
        expect_draws<GaussianDropout>(isa, cpu::kernels().noise.gaussian_dropout, begin, n);
        expect_draws<GaussianNoise>(isa, cpu::kernels().noise.gaussian_noise, begin, n);
      }
  }
}

}  // namespace

int main() {
  drawn_side_by_side();
  known_answers();
  counters();
  truncated();
  moments();
  return downhill::test::report("philox");
}
