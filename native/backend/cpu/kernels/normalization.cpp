// Normalization of rows: a row comes from memory once, what goes over it again finds it in the first cache. Sums of a
// row have the order of reduce_row on every instruction set.
#include "ops/normalization.h"

#include "backend/cpu/kernels/entries.h"
#include "backend/cpu/kernels/lanes.h"

namespace downhill::cpu::DH_ISA {

namespace {

namespace formula = downhill::DH_ISA::normalization;
using L = Lanes<float>;

/// Sixteen elements, or the last of a row.
struct Whole {};
struct Some {
  int64_t n;
};

struct Reader {
  const float* x;
  int64_t readable;  // elements from x on that lie in memory
  L operator()(int64_t i, Whole, float = 0.0f) const { return L::load(x + i); }
  L operator()(int64_t i, Some some, float rest = 0.0f) const {
    return L::load_some(x + i, some.n, readable - i, rest);
  }
};

void store(float* y, Whole, const L& value) { value.store(y); }
void store(float* y, Some some, const L& value) {
  float all[16];
  value.store(all);
  for (int64_t k = 0; k < some.n; ++k) y[k] = all[k];
}

/// Calls f(i, place) for all elements.
template <typename F>
[[gnu::always_inline]] inline void for_lanes(int64_t n, F f) {
  int64_t i = 0;
  for (; i + 16 <= n; i += 16) f(i, Whole());
  if (i < n) f(i, Some{n - i});
}

/// kSums sums over a row, to which f(i, place, sums) adds sixteen elements.
template <int kSums, typename F>
[[gnu::always_inline]] inline void sum_up(int64_t n, float (&total)[kSums], F f) {
  L sums[4][kSums];
  for (auto& accumulator : sums)
    for (L& sum : accumulator) sum = L::fill(0.0f);
  int64_t i = 0;
  for (; i + 64 <= n; i += 64)
#pragma GCC unroll 4
    for (int k = 0; k < 4; ++k) f(i + 16 * k, Whole(), sums[k]);
  for (int s = 0; s < kSums; ++s) sums[0][s] = (sums[0][s] + sums[1][s]) + (sums[2][s] + sums[3][s]);
  for (; i + 16 <= n; i += 16) f(i, Whole(), sums[0]);
  if (i < n) f(i, Some{n - i}, sums[0]);
  for (int s = 0; s < kSums; ++s) total[s] = reduce_lanes<SumOf<float>>(sums[0][s]);
}

template <bool kCentered>
struct Row {
  Reader x;
  float mean = 0.0f;
  L mean_lanes, inverse;

  Row(const Reader& from, int64_t n, float epsilon) : x(from), mean_lanes(L::fill(0.0f)) {
    float total[1];
    if constexpr (kCentered) {
      sum_up(n, total,
             [&](int64_t i, auto place, L* sum) __attribute__((always_inline)) { *sum = *sum + x(i, place); });
      mean = formula::mean(total[0], n);
      mean_lanes = L::fill(mean);
    }
    sum_up(n, total, [&](int64_t i, auto place, L* sum) __attribute__((always_inline)) {
      const L c = centered(i, place);
      *sum = *sum + c * c;
    });
    inverse = L::fill(formula::inverse(total[0], n, epsilon));
  }
  /// Behind the end of the row 0.
  template <typename Place>
  L centered(int64_t i, Place place) const {
    if constexpr (kCentered) return x(i, place, mean) - mean_lanes;
    return x(i, place);
  }
  template <typename Place>
  L normalized(int64_t i, Place place) const {
    return formula::normalized(centered(i, place), inverse);
  }
};

template <bool kCentered, bool kScale, bool kCenter>
void forward_rows(const NormalizationArgs& args) {
  const int64_t n = args.n;
  const Reader gamma{args.gamma, n}, beta{args.beta, n};
  for (int64_t r = 0; r < args.rows; ++r) {
    const Row<kCentered> row({args.x + r * n, (args.rows - r) * n}, n, args.epsilon);
    float* const y = args.y + r * n;
    for_lanes(n, [&](int64_t i, auto place) __attribute__((always_inline)) {
      L value = row.normalized(i, place);
      if constexpr (kScale) value = value * gamma(i, place);
      if constexpr (kCenter) value = value + beta(i, place);
      store(y + i, place, value);
    });
  }
}

template <bool kCentered, bool kScale, bool kInput, bool kSums>
void backward_rows(const NormalizationGradientArgs& args) {
  const int64_t n = args.n;
  const Reader gamma{args.gamma, n}, scale_sums{args.scale_sums, n}, d_sums{args.d_sums, n};
  for (int64_t r = 0; r < args.rows; ++r) {
    const int64_t readable = (args.rows - r) * n;
    const Row<kCentered> row({args.x + r * n, readable}, n, args.epsilon);
    const Reader d_y{args.d_y + r * n, readable};
    const auto scaled = [&](const L& d, int64_t i, auto place) __attribute__((always_inline)) {
      if constexpr (kScale) return d * gamma(i, place);
      return d;
    };
    float sums[2] = {};  // of d, of d · x̂
    if constexpr (kInput)
      sum_up(n, sums, [&](int64_t i, auto place, L* sum) __attribute__((always_inline)) {
        const L d = scaled(d_y(i, place), i, place);
        if constexpr (kCentered) sum[0] = sum[0] + d;
        sum[1] = sum[1] + d * row.normalized(i, place);
      });
    const L mean_d = L::fill(formula::mean(sums[0], n)), mean_along = L::fill(formula::mean(sums[1], n));
    for_lanes(n, [&](int64_t i, auto place) __attribute__((always_inline)) {
      const L d = d_y(i, place), normalized = row.normalized(i, place);
      if constexpr (kSums) {
        store(args.scale_sums + i, place, scale_sums(i, place) + d * normalized);
        store(args.d_sums + i, place, d_sums(i, place) + d);
      }
      if constexpr (kInput)
        store(args.d_x + r * n + i, place,
              formula::input_gradient<kCentered>(scaled(d, i, place), normalized, mean_d, mean_along, row.inverse));
    });
  }
}

template <bool kCentered>
void forward(const NormalizationArgs& args) {
  if (args.gamma && args.beta) return forward_rows<kCentered, true, true>(args);
  if (args.gamma) return forward_rows<kCentered, true, false>(args);
  if (args.beta) return forward_rows<kCentered, false, true>(args);
  forward_rows<kCentered, false, false>(args);
}

template <bool kCentered>
void backward(const NormalizationGradientArgs& args) {
  if (!args.d_x) return backward_rows<kCentered, false, false, true>(args);
  if (!args.scale_sums)
    return args.gamma ? backward_rows<kCentered, true, true, false>(args)
                      : backward_rows<kCentered, false, true, false>(args);
  return args.gamma ? backward_rows<kCentered, true, true, true>(args)
                    : backward_rows<kCentered, false, true, true>(args);
}

}  // namespace

void fill_normalization(NormalizationKernels& table) {
  table = {{forward<true>, forward<false>}, {backward<true>, backward<false>}};
}

}  // namespace downhill::cpu::DH_ISA
