// The loop around every update rule, and the reductions over gradients that come before it.
#include "backend/cpu/kernels/update_entry.h"

#include <cstring>

#include "backend/cpu/kernels/ahead.h"
#include "optim/rules.h"
#include "optim/update_element.h"

#if defined(__clang__)
#define DH_INDEPENDENT _Pragma("clang loop vectorize(assume_safety)")
#else
#define DH_INDEPENDENT _Pragma("GCC ivdep")
#endif

namespace downhill::cpu::DH_ISA {

namespace rules = downhill::DH_ISA;

namespace {

constexpr int kLanes = 16;  // fixed, so that every instruction set adds in the same order

/// Elements that stay in the cache between the loops over them.
constexpr int64_t kBlock = 1024;

rules::ElementStep element_step(const UpdateScale& scale) {
  return {scale.gradient, scale.clip, rules::limit_of(scale.clip_value), scale.l2, scale.decay, scale.trust};
}

/// p, slots ← rule(g, p, slots) over n elements.
template <typename Functor>
[[gnu::always_inline]] inline void apply_stretch(const Functor& rule, const rules::ElementStep& step, float* p,
                                                 const float* g, float* const* slots, int64_t n) {
  constexpr int kSlots = Functor::kSlots;
  float* rows[kSlots ? kSlots : 1] = {};
  for (int s = 0; s < kSlots; ++s) rows[s] = slots[s];

  DH_INDEPENDENT
  for (int64_t i = 0; i < n; ++i) {
    float slot[kSlots ? kSlots : 1];
    for (int s = 0; s < kSlots; ++s) slot[s] = rows[s][i];
    p[i] = rules::update_element(rule, step, g[i], p[i], slot);
    for (int s = 0; s < kSlots; ++s) rows[s][i] = slot[s];
  }
}

/// The same, with what comes next on its way.
template <typename Functor>
void apply_rule(const Functor& rule, const UpdateScale& scale, float* p, const float* g, float* const* slots, int64_t n,
                int64_t ahead) {
  constexpr int kSlots = Functor::kSlots;
  const rules::ElementStep step = element_step(scale);
  by_stretches(
      n,
      [&](int64_t i) __attribute__((always_inline)) {
        fetch_ahead(g + i, ahead);
        fetch_ahead(p + i, ahead);
        for (int s = 0; s < kSlots; ++s) fetch_ahead(slots[s] + i, ahead);
      },
      [&](int64_t begin, int64_t size) {
        float* rows[kSlots ? kSlots : 1] = {};
        for (int s = 0; s < kSlots; ++s) rows[s] = slots[s] + begin;
        apply_stretch(rule, step, p + begin, g + begin, rows, size);
      });
}

void add(const float* x, const float* y, float* sum, int64_t n) {
  for (int64_t i = 0; i < n; ++i) sum[i] = x[i] + y[i];
}

void average(const UpdateScale& scale, float* p, float* e, int64_t n) {
  const float keep = scale.keep, take = scale.take;
  for (int64_t i = 0; i < n; ++i) e[i] = rules::moving_average(keep, take, e[i], p[i]);
  if (scale.overwrite) std::memcpy(p, e, static_cast<size_t>(n) * sizeof(float));
}

/// Elements [begin, begin + size) of the gradient, with the accumulator and the factors of units, in `sum` if need be.
const float* gradient_of(const UpdateRow& row, int64_t begin, int64_t size, float* sum) {
  const float* g = row.g + begin;
  if (row.accumulator) {
    add(g, row.accumulator + begin, sum, size);
    g = sum;
  }
  if (!row.units) return g;
  int64_t column = (row.column + begin) % row.columns;
  for (int64_t i = 0; i < size;) {
    const int64_t left = row.columns - column, run = left < size - i ? left : size - i;
    for (int64_t k = 0; k < run; ++k) sum[i + k] = g[i + k] * row.units[column + k];
    i += run;
    column = 0;
  }
  return sum;
}

template <typename Functor>
void update(const void* bytes, const UpdateScale& scale, const UpdateRow& row, int64_t n) {
  Functor rule;
  std::memcpy(&rule, bytes, sizeof rule);
  if (!row.accumulator && !row.average && !row.units)
    return apply_rule(rule, scale, row.p, row.g, row.slots, n, row.ahead);
  alignas(64) float sum[kBlock];
  for (int64_t begin = 0; begin < n; begin += kBlock) {
    const int64_t size = n - begin < kBlock ? n - begin : kBlock;
    const float* const g = gradient_of(row, begin, size, sum);
    float* slots[kMaxSlots];
    for (int s = 0; s < Functor::kSlots; ++s) slots[s] = row.slots[s] + begin;
    apply_rule(rule, scale, row.p + begin, g, slots, size, row.ahead);
    if (row.average) average(scale, row.p + begin, row.average + begin, size);
  }
}

/// Element i goes to lane i mod kLanes; n up to the last block is a multiple of kLanes.
void add_squares(const float* x, int64_t n, float (&lanes)[kLanes]) {
  int64_t i = 0;
  for (; i + kLanes <= n; i += kLanes)
    for (int l = 0; l < kLanes; ++l) lanes[l] += x[i + l] * x[i + l];
  for (int l = 0; i + l < n; ++l) lanes[l] += x[i + l] * x[i + l];
}

float sum_of_lanes(float (&lanes)[kLanes]) {
  for (int half = kLanes / 2; half > 0; half /= 2)
    for (int l = 0; l < half; ++l) lanes[l] += lanes[l + half];
  return lanes[0];
}

float sum_of_squares(const float* x, const float* y, float factor, int64_t n) {
  float lanes[kLanes] = {};
  if (!y && factor == 1) {
    add_squares(x, n, lanes);
    return sum_of_lanes(lanes);
  }
  alignas(64) float scaled[kBlock];
  for (int64_t begin = 0; begin < n; begin += kBlock) {
    const int64_t size = n - begin < kBlock ? n - begin : kBlock;
    if (y) {
      add(x + begin, y + begin, scaled, size);
      for (int64_t i = 0; i < size; ++i) scaled[i] *= factor;
    } else {
      for (int64_t i = 0; i < size; ++i) scaled[i] = x[begin + i] * factor;
    }
    add_squares(scaled, size, lanes);
  }
  return sum_of_lanes(lanes);
}

template <typename Functor>
void measure(const void* bytes, const UpdateScale& scale, const UpdateRow& row, int64_t n, float* sums) {
  constexpr int kSlots = Functor::kSlots;
  Functor rule;
  std::memcpy(&rule, bytes, sizeof rule);
  const rules::ElementStep step = element_step(scale);
  float p_lanes[kLanes] = {}, lanes[kLanes] = {};
  alignas(64) float sum[kBlock], p[kBlock], measured[kBlock];
  for (int64_t begin = 0; begin < n; begin += kBlock) {
    const int64_t size = n - begin < kBlock ? n - begin : kBlock;
    const float* const g = gradient_of(row, begin, size, sum);
    const float* rows[kSlots ? kSlots : 1] = {};
    for (int s = 0; s < kSlots; ++s) rows[s] = row.slots[s] + begin;
    std::memcpy(p, row.p + begin, static_cast<size_t>(size) * sizeof(float));
    DH_INDEPENDENT
    for (int64_t i = 0; i < size; ++i) {
      float slot[kSlots ? kSlots : 1];
      for (int s = 0; s < kSlots; ++s) slot[s] = rows[s][i];
      rules::measure_element(rule, step, g[i], p[i], measured[i], slot);
    }
    add_squares(p, size, p_lanes);
    add_squares(measured, size, lanes);
  }
  sums[0] = sum_of_lanes(p_lanes);
  sums[1] = sum_of_lanes(lanes);
}

void unit_squares(const float* x, const float* y, float factor, int64_t rows, int64_t columns, int64_t stride,
                  double* sums) {
  for (int64_t c = 0; c < columns; ++c) sums[c] = 0;
  for (int64_t r = 0; r < rows; ++r)
    for (int64_t c = 0; c < columns; ++c) {
      const int64_t i = r * stride + c;
      const double value = static_cast<double>((y ? x[i] + y[i] : x[i]) * factor);
      sums[c] += value * value;
    }
}

void add_to(const float* x, float* y, int64_t n) {
  for (int64_t i = 0; i < n; ++i) y[i] += x[i];
}

bool all_finite(const float* x, int64_t n) {
  constexpr uint32_t kExponent = 0x7f800000U;  // all ones: infinity or NaN
  constexpr int64_t kStride = 4096;            // stop early without a branch in the inner loop
  for (int64_t begin = 0; begin < n; begin += kStride) {
    const int64_t end = n - begin < kStride ? n : begin + kStride;
    uint32_t bad = 0;
    for (int64_t i = begin; i < end; ++i) {
      uint32_t bits;
      std::memcpy(&bits, x + i, sizeof bits);
      bad |= static_cast<uint32_t>((bits & kExponent) == kExponent);
    }
    if (bad) return false;
  }
  return true;
}

bool at_rest(const float* x, int64_t n) {
  uint32_t bad = 0;
  for (int64_t i = 0; i < n; ++i) {
    uint32_t bits;
    std::memcpy(&bits, x + i, sizeof bits);
    bad |= static_cast<uint32_t>((bits & 0x7f800000U) == 0x7f800000U) | static_cast<uint32_t>(bits == 0x80000000U);
  }
  return bad == 0;
}

bool sums_finite(const float* x, const float* y, int64_t n) {
  if (!y) return all_finite(x, n);
  alignas(64) float sum[kBlock];
  for (int64_t begin = 0; begin < n; begin += kBlock) {
    const int64_t size = n - begin < kBlock ? n - begin : kBlock;
    add(x + begin, y + begin, sum, size);
    if (!all_finite(sum, size)) return false;
  }
  return true;
}

template <typename Functor>
constexpr MeasureFn measure_of() {
  if constexpr (rules::kUsesNorms<Functor>)
    return measure<Functor>;
  else
    return nullptr;
}

}  // namespace

void add_update_kernels(KernelTable& table) {
#define RULE(name, functor)                                            \
  table.update[static_cast<int>(Rule::name)] = update<rules::functor>; \
  table.measure[static_cast<int>(Rule::name)] = measure_of<rules::functor>();
#include "optim/rules.def"
  table.sum_of_squares = sum_of_squares;
  table.unit_squares = unit_squares;
  table.sums_finite = sums_finite;
  table.add_to = add_to;
  table.all_finite = all_finite;
  table.at_rest = at_rest;
}

}  // namespace downhill::cpu::DH_ISA
