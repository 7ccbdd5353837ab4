#include "plan/memory.h"

#include <algorithm>
#include <map>
#include <set>

#include "graph/normalization.h"

namespace downhill {

namespace {

size_t align(size_t bytes) { return (bytes + kAlignment - 1) / kAlignment * kAlignment; }

/// Free ranges of the arena; the smallest that is large enough is taken, of equal ones the first.
class FreeList {
 public:
  size_t take(size_t bytes) {
    const auto best = by_size_.lower_bound({bytes, 0});
    if (best == by_size_.end()) {
      size_t offset = end_;
      if (!free_.empty() && std::prev(free_.end())->first + std::prev(free_.end())->second == end_) {
        offset = std::prev(free_.end())->first;  // grow the last free range
        erase(std::prev(free_.end()));
      }
      end_ = offset + bytes;
      return offset;
    }
    const auto [size, offset] = *best;
    erase(free_.find(offset));
    if (size > bytes) add(offset + bytes, size - bytes);
    return offset;
  }

  void give(size_t offset, size_t bytes) {
    if (!bytes) return;
    auto next = free_.lower_bound(offset);
    if (next != free_.begin()) {
      auto previous = std::prev(next);
      if (previous->first + previous->second == offset) {
        offset = previous->first;
        bytes += previous->second;
        erase(previous);
      }
    }
    if (next != free_.end() && offset + bytes == next->first) {
      bytes += next->second;
      erase(next);
    }
    add(offset, bytes);
  }

  size_t end() const { return end_; }

 private:
  using Ranges = std::map<size_t, size_t>;

  void add(size_t offset, size_t bytes) {
    free_.emplace(offset, bytes);
    by_size_.emplace(bytes, offset);
  }
  void erase(Ranges::iterator range) {
    by_size_.erase({range->second, range->first});
    free_.erase(range);
  }

  Ranges free_;                                  // bytes by offset
  std::set<std::pair<size_t, size_t>> by_size_;  // the same
  size_t end_ = 0;
};

bool contains(const std::vector<int>& values, int value) {
  return std::find(values.begin(), values.end(), value) != values.end();
}

/// Whether result `made` of a step may lie where an operand of its shape does that dies there. A normalization has read
/// both operands of a row that have its shape when it writes the row, but what its tail reads comes later. In a chain
/// all steps that read the operand must come before the one that makes the result, or be that one. A reduction's result
/// is written while other blocks are still being read.
template <typename IsOperand>
bool may_overwrite(const Step& step, int made, IsOperand&& is_operand) {
  if (is_normalization(step.op)) {
    const auto first = step.inputs.begin(), second = first + (is_normalization_gradient(step.op) ? 2 : 1);
    return made != step.scale_gradient && made != step.column_sums && !is_scale_gradient(step.op) &&
           std::any_of(first, second, is_operand) && std::count_if(first, step.inputs.end(), is_operand) == 1;
  }
  if (step.chain.empty()) return is_elementwise(step.op);
  bool written = false;
  for (const Step& part : step.chain) {
    if (written && std::any_of(part.inputs.begin(), part.inputs.end(), is_operand)) return false;
    if (part.output != made) continue;
    if (is_reduction(part.op)) return false;
    written = true;
  }
  return true;
}

}  // namespace

size_t assign_offsets(Plan& plan) {
  const auto root = [&](int value) { return plan.values[value].alias_of >= 0 ? plan.values[value].alias_of : value; };
  const auto in_arena = [&](int value) { return plan.values[value].place == Place::arena; };
  const int steps = static_cast<int>(plan.steps.size());

  std::vector<int> last_use(plan.values.size(), -1);
  for (int i = 0; i < steps; ++i) {
    for (int input : plan.steps[i].inputs) last_use[root(input)] = i;
    for (int output : plan.steps[i].outputs()) last_use[root(output)] = std::max(last_use[root(output)], i);
  }
  for (const StateWrite& write : plan.writes) last_use[root(write.from)] = steps;

  FreeList arena;
  for (int i = 0; i < steps; ++i) {
    const Step& step = plan.steps[i];
    std::vector<int> over;  // operands whose memory a result takes
    const auto dies = [&](int input) { return in_arena(root(input)) && last_use[root(input)] == i; };
    for (int made : step.outputs()) {
      const int output = root(made);
      if (!in_arena(output)) continue;
      const auto fits = [&](int input) {
        return dies(input) && plan.values[input].shape == plan.values[made].shape && !contains(over, root(input)) &&
               may_overwrite(step, made, [&](int other) { return root(other) == root(input); });
      };
      const auto found = std::find_if(step.inputs.begin(), step.inputs.end(), fits);
      if (found != step.inputs.end()) {
        over.push_back(root(*found));
        plan.values[output].offset = plan.values[root(*found)].offset;
      } else {
        plan.values[output].offset = arena.take(align(plan.values[output].bytes()));
      }
    }
    // What dies here is free for later steps; an operand used twice dies once.
    for (size_t k = 0; k < step.inputs.size(); ++k) {
      const int input = root(step.inputs[k]);
      bool repeated = contains(over, input);
      for (size_t j = 0; j < k; ++j) repeated |= root(step.inputs[j]) == input;
      if (!repeated && in_arena(input) && last_use[input] == i)
        arena.give(plan.values[input].offset, align(plan.values[input].bytes()));
    }
    for (int made : step.outputs())
      if (const int output = root(made); in_arena(output) && last_use[output] == i)
        arena.give(plan.values[output].offset, align(plan.values[output].bytes()));
  }
  for (Value& value : plan.values)
    if (value.alias_of >= 0) value.offset = plan.values[value.alias_of].offset;
  return arena.end();
}

}  // namespace downhill
