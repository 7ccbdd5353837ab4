// The update as data: what changes from step to step, as plain bytes, and where it is done. The host computes it in
// double (updater.h); the kernels of every device read it.
#pragma once
#include <cstdint>
#include <vector>

#include "core/storage.h"
#include "optim/rule.h"

namespace downhill {

/// What one step does, for all groups. With gradient g, accumulator a, average e of a parameter p:
/// apply == 0: a ← first ? g : a + g, and nothing else happens.
/// apply == 1: g ← (g + a)·gradient_scale where there is an accumulator, else g·gradient_scale; clipping, decay and
/// rule as GroupStep says; then, where average == 1, e ← keep·e + take·p, and where overwrite == 1, p ← e.
struct StepHead {
  uint8_t apply = 1;
  uint8_t first = 0;           // of those that are accumulated
  uint8_t average = 0;         // the moving average follows
  uint8_t overwrite = 0;       // parameters become their averages
  float gradient_scale = 1;    // of the accumulated mean, and of a fixed loss scale
  float global_clip_norm = 0;  // of all gradients together, after those of the groups; 0: none
  float keep = 0, take = 1;    // momentum of the average and 1 - momentum; the first update has 0 and 1
};

/// What one step does to the variables of one group: g ← g·clip_norm / max(‖g‖, clip_norm) for each variable,
/// g ← clip(g, ±clip_value), g ← g + l2·p, p ← rule(g, p - decay·p). With unit_clip the gradient of each unit (a column
/// of a kernel, a bias as a whole) is scaled to at most unit_clip·max(‖p‖, unit_epsilon) first.
struct GroupStep {
  RuleBytes rule;                       // the functor of the group's rule
  float l2 = 0;                         // coupled decay
  float decay = 0;                      // decoupled decay, times the rate
  float clip_value = 0, clip_norm = 0;  // 0: none
  float unit_clip = 0, unit_epsilon = 0;
};

/// In place of a group, for the scalars of StepHead that graph programs read (optim/update_scalars.h).
inline constexpr int kHeadScalars = -1;

/// Elements of a span that squares are summed up over for norms; a multiple of the alignment, so that chunks never
/// share a cache line.
inline constexpr int64_t kUpdateChunk = 16384;
/// Squares of units are summed up over tiles of so many rows and columns, row after row in double; tiles then follow in
/// the order of their rows.
inline constexpr int64_t kUnitRows = 64, kUnitColumns = 256;

/// Flat float32 memory of one variable, or of several of a group that lie side by side.
struct UpdateSpan {
  Storage parameter, gradient;
  std::vector<Storage> slots;
  Storage accumulator, average;  // without a buffer: none
  int64_t size = 0;              // elements
  int64_t columns = 1;           // units; element i is of unit i mod columns
  int64_t first_unit = -1;       // number of its first one among those of all variables; -1: never clipped by units
  int group = 0;
  Rule rule = {};   // of the group
  int segment = 0;  // the first one
};

/// tile(span, row, column, at) for each tile of the variables that may be clipped by units: where it begins, and where
/// its sums do. Gives the number of sums.
template <typename F>
int64_t each_unit_tile(const std::vector<UpdateSpan>& variables, F tile) {
  int64_t sums = 0;
  for (size_t i = 0; i < variables.size(); ++i) {
    const UpdateSpan& variable = variables[i];
    if (variable.first_unit < 0) continue;
    for (int64_t row = 0; row < variable.size / variable.columns; row += kUnitRows, sums += variable.columns)
      for (int64_t column = 0; column < variable.columns; column += kUnitColumns)
        tile(static_cast<int>(i), row, column, sums + column);
  }
  return sums;
}

}  // namespace downhill
