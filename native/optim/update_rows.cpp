// Updates of touched rows alone: of variables whose gradient is known to be 0 elsewhere, by rules that a gradient of 0
// does not move. The numbers are to the bit those of the whole update, so that it may take over in any step: in the
// first one, where somebody else has changed the variables, and where a value is not finite.
#include <algorithm>
#include <cmath>

#include "backend/cpu/kernels/table.h"
#include "backend/cpu/pool.h"
#include "core/touched_rows.h"
#include "optim/updater.h"

namespace downhill {

namespace {

bool overlap(const Storage& a, const Storage& b) {
  return a.buffer == b.buffer && a.offset < b.offset + b.bytes && b.offset < a.offset + a.bytes;
}

bool writes(const Plan& plan, const Storage& storage) {
  return std::any_of(plan.writes.begin(), plan.writes.end(), [&](const StateWrite& write) {
    return overlap(*plan.values[static_cast<size_t>(write.to)].storage, storage);
  });
}

/// Runs body(first, rows) over the runs of rows that lie side by side.
template <typename F>
void for_runs(const int32_t* rows, int64_t count, F&& body) {
  for (int64_t i = 0; i < count;) {
    int64_t end = i + 1;
    while (end < count && rows[end] == rows[end - 1] + 1) ++end;
    body(int64_t{rows[i]}, end - i);
    i = end;
  }
}

constexpr int64_t kRowsAhead = 1;  // rows that are fetched while one is updated lie so many behind the next one

}  // namespace

/// Whatever moves an element without a gradient rules a variable out: averages, gradients of earlier steps, programs.
void Updater::find_row_variables() {
  for (size_t i = 0; i < by_variable_.spans.size(); ++i) {
    const UpdateSpan& span = by_variable_.spans[i];
    if (!span.gradient.rows || !may_rest(span.rule) || span.accumulator.buffer || span.average.buffer) continue;
    const auto& plans = options_.graphs.plans;
    if (std::any_of(plans.begin(), plans.end(), [&](const Plan& plan) { return writes(plan, span.parameter); }))
      continue;
    row_variables_.push_back({static_cast<int>(i), span.gradient.rows.get()});
  }
  if (row_variables_.empty()) return;
  first_task_.resize(by_variable_.spans.size() + 1);
  versions_.assign(written_.size(), UINT64_MAX);
}

/// Decides which variables the update in hand goes over by rows; whether there are any.
bool Updater::choose_rows() {
  if (row_variables_.empty()) return false;
  bool alone = true;  // nobody else has written
  for (size_t i = 0; i < written_.size(); ++i)
    alone = alone && written_[i]->version.load(std::memory_order_relaxed) == versions_[i];
  bool any = false;
  for (RowVariable& at : row_variables_) {
    const UpdateSpan& span = by_variable_.spans[static_cast<size_t>(at.variable)];
    const GroupStep& group = steps_[static_cast<size_t>(span.group)];
    const Rest rest = rest_of(span.rule, group.rule);
    const bool rests = rest == Rest::always || (rest == Rest::same_numbers && group.rule == at.rule);
    at.now = alone && at.settled && rests && at.rows->known && group.l2 == 0 && group.decay == 0 &&
             is_finite(group.rule) && std::isfinite(head_.gradient_scale);
    any = any || at.now;
  }
  return any;
}

int64_t Updater::rows_of_task(const RowVariable& at) const {
  return std::max<int64_t>(1, kUpdateChunk / at.rows->width);
}

void Updater::update_rows(const RowVariable& at, int64_t task) {
  const cpu::KernelTable& table = cpu::kernels();
  const UpdateSpan& span = by_variable_.spans[static_cast<size_t>(at.variable)];
  const GroupStep& group = steps_[static_cast<size_t>(span.group)];
  const int64_t each = rows_of_task(at), begin = task * each, count = std::min(each, at.rows->count - begin);
  const int64_t width = at.rows->width;
  const cpu::UpdateScale scale = scale_of(span);
  const auto update = table.update[static_cast<int>(span.rule)];
  const int32_t *const own = at.rows->rows.data() + begin, *const last = own + count - 1;
  const int32_t* next = own;
  bool rest = true;
  for_runs(own, count, [&](int64_t first, int64_t rows) {
    next += rows;
    cpu::UpdateRow row = row_of(by_variable_, {at.variable, first * width, rows * width});
    row.ahead = (std::min(next + kRowsAhead, last)[0] - first) * width;
    update(group.rule.bytes, scale, row, rows * width);
    rest = rest && table.at_rest(row.p, rows * width);
    for (size_t s = 0; s < span.slots.size(); ++s) rest = rest && table.at_rest(row.slots[s], rows * width);
  });
  if (!rest) rows_rest_.store(false, std::memory_order_relaxed);
}

/// All variables in one region: some by their rows, the others whole.
void Updater::update_by_rows() {
  const cpu::KernelTable& table = cpu::kernels();
  const auto chunks = [](int64_t items, int64_t each) { return (items + each - 1) / each; };
  auto next = row_variables_.begin();
  for (size_t i = 0; i < by_variable_.spans.size(); ++i) {
    const bool listed = next != row_variables_.end() && next->variable == static_cast<int>(i);
    const bool rows = listed && next->now;
    first_task_[i + 1] = first_task_[i] + (rows ? chunks(next->rows->count, rows_of_task(*next))
                                                : chunks(by_variable_.spans[i].size, kUpdateChunk));
    if (listed) ++next;
  }
  cpu::parallel_for_brief(first_task_.back(), [&](int64_t task) {
    const auto after = std::upper_bound(first_task_.begin(), first_task_.end(), task);
    const auto variable = static_cast<int>(after - first_task_.begin()) - 1;
    const int64_t own = task - *(after - 1);
    const auto at = std::find_if(row_variables_.begin(), row_variables_.end(),
                                 [&](const RowVariable& row) { return row.variable == variable && row.now; });
    if (at != row_variables_.end()) return update_rows(*at, own);
    const UpdateSpan& span = by_variable_.spans[static_cast<size_t>(variable)];
    const Chunk chunk{variable, own * kUpdateChunk, std::min(kUpdateChunk, span.size - own * kUpdateChunk)};
    table.update[static_cast<int>(span.rule)](steps_[static_cast<size_t>(span.group)].rule.bytes, scale_of(span),
                                              row_of(by_variable_, chunk), chunk.size);
  });
}

/// After an update of all variables: whether the next one may leave out rows. A rule maps an element that is finite to
/// one that it maps to itself; one that overflowed may become NaN with a gradient of 0, and -0, which is left of a
/// difference that is flushed, becomes 0.
void Updater::settle() {
  if (row_variables_.empty()) return;
  const cpu::KernelTable& table = cpu::kernels();
  for (RowVariable& at : row_variables_) {
    const UpdateSpan& span = by_variable_.spans[static_cast<size_t>(at.variable)];
    const GroupStep& group = steps_[static_cast<size_t>(span.group)];
    bool rest = rows_rest_.load(std::memory_order_relaxed) && at.rows->known && group.l2 == 0 && group.decay == 0 &&
                rest_of(span.rule, group.rule) != Rest::never;
    if (rest && !at.now) {
      const auto look = [&](const Storage& storage) {
        const auto* const values = reinterpret_cast<const float*>(storage.read(nullptr));
        for_runs(at.rows->rows.data(), at.rows->count, [&](int64_t first, int64_t rows) {
          rest = rest && table.at_rest(values + first * at.rows->width, rows * at.rows->width);
        });
      };
      look(span.parameter);
      for (const Storage& slot : span.slots) look(slot);
    }
    at.settled = rest;
    at.rule = group.rule;
  }
  rows_rest_.store(true, std::memory_order_relaxed);
  // The lock that the caller holds adds one when it is given back.
  for (size_t i = 0; i < written_.size(); ++i) versions_[i] = written_[i]->version.load(std::memory_order_relaxed) + 1;
}

}  // namespace downhill
