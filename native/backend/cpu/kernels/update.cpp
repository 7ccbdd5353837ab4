// The loop around every update rule, and the reductions over gradients that come before it.
#include "backend/cpu/kernels/update_entry.h"

#include <cstring>

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

/// p, slots ← rule(g, p, slots) over n elements.
template <typename Functor>
void apply_rule(const Functor& rule, const UpdateScale& scale, float* p, const float* g, float* const* slots,
                int64_t n) {
  constexpr int kSlots = Functor::kSlots;
  const rules::ElementStep step{scale.gradient, rules::limit_of(scale.clip_value), scale.l2, scale.decay};
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

void add(const float* x, const float* y, float* sum, int64_t n) {
  for (int64_t i = 0; i < n; ++i) sum[i] = x[i] + y[i];
}

void average(const UpdateScale& scale, float* p, float* e, int64_t n) {
  const float keep = scale.keep, take = scale.take;
  for (int64_t i = 0; i < n; ++i) e[i] = rules::moving_average(keep, take, e[i], p[i]);
  if (scale.overwrite) std::memcpy(p, e, static_cast<size_t>(n) * sizeof(float));
}

template <typename Functor>
void update(const void* bytes, const UpdateScale& scale, const UpdateRow& row, int64_t n) {
  Functor rule;
  std::memcpy(&rule, bytes, sizeof rule);
  if (!row.accumulator && !row.average) return apply_rule(rule, scale, row.p, row.g, row.slots, n);
  alignas(64) float sum[kBlock];
  for (int64_t begin = 0; begin < n; begin += kBlock) {
    const int64_t size = n - begin < kBlock ? n - begin : kBlock;
    const float* g = row.g + begin;
    float* slots[kMaxSlots];
    for (int s = 0; s < Functor::kSlots; ++s) slots[s] = row.slots[s] + begin;
    if (row.accumulator) {
      add(g, row.accumulator + begin, sum, size);
      g = sum;
    }
    apply_rule(rule, scale, row.p + begin, g, slots, size);
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

float sum_of_squares(const float* x, const float* y, int64_t n) {
  float lanes[kLanes] = {};
  if (!y) {
    add_squares(x, n, lanes);
  } else {
    alignas(64) float sum[kBlock];
    for (int64_t begin = 0; begin < n; begin += kBlock) {
      const int64_t size = n - begin < kBlock ? n - begin : kBlock;
      add(x + begin, y + begin, sum, size);
      add_squares(sum, size, lanes);
    }
  }
  for (int half = kLanes / 2; half > 0; half /= 2)
    for (int l = 0; l < half; ++l) lanes[l] += lanes[l + half];
  return lanes[0];
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

}  // namespace

void add_update_kernels(KernelTable& table) {
#define RULE(name, functor) table.update[static_cast<int>(Rule::name)] = update<rules::functor>;
#include "optim/rules.def"
  table.sum_of_squares = sum_of_squares;
  table.add_to = add_to;
  table.all_finite = all_finite;
}

}  // namespace downhill::cpu::DH_ISA
