#include "data/row_order.h"

#include <algorithm>
#include <numeric>
#include <string>
#include <utility>

#include "core/error.h"
#include "data/permutation.h"

namespace downhill {

namespace {

constexpr int64_t kMaxRows = int64_t{1} << 32;  // of an epoch: positions have 32 bits

std::string text(int64_t number) { return std::to_string(number); }

}  // namespace

RowOrder::RowOrder(RowSet set, int64_t count)
    : count_(set.rows.empty() ? count : static_cast<int64_t>(set.rows.size())),
      draws_(set.draws),
      rows_(std::move(set.rows)) {
  for (uint32_t row : rows_)
    if (row >= count) throw Error(code::kOutOfRange, "Row " + text(row) + " of data with " + text(count) + " rows.");
  if (draws_ < 0 || draws_ >= kMaxRows)
    throw Error(code::kOutOfRange, "An epoch has at most 4294967295 rows, received " + text(draws_) + ".");
  if (set.groups.empty()) return;
  if (static_cast<int64_t>(set.groups.size()) != count_)
    throw Error(code::kShapeMismatch, "Expected the group of each of " + text(count_) + " rows, received " +
                                          text(static_cast<int64_t>(set.groups.size())) + ".");
  group(set.groups);
}

/// Members of a group keep their order.
void RowOrder::group(const std::vector<uint32_t>& groups) {
  const uint32_t last = *std::max_element(groups.begin(), groups.end());
  if (last >= groups.size())
    throw Error(code::kOutOfRange,
                "Groups are numbered from 0 without a gap, received " + text(last) + " for " + text(count_) + " rows.");
  group_begin_.assign(size_t{last} + 2, 0);
  for (uint32_t number : groups) ++group_begin_[size_t{number} + 1];
  std::partial_sum(group_begin_.begin(), group_begin_.end(), group_begin_.begin());
  std::vector<uint32_t> next(group_begin_.begin(), group_begin_.end() - 1);
  member_.resize(groups.size());
  for (size_t i = 0; i < groups.size(); ++i) member_[next[groups[i]]++] = static_cast<uint32_t>(i);
  group_order_.resize(size_t{last} + 1);
}

int64_t RowOrder::length(Order order) const { return order == Order::drawn && draws_ > 0 ? draws_ : count_; }

bool RowOrder::arrange(Order order, uint64_t seed, uint64_t draw) {
  const Made wanted{order, order == Order::stored ? 0 : seed, order == Order::stored ? 0 : draw};
  if (made_ && *made_ == wanted) return false;
  made_.reset();
  order_.resize(static_cast<size_t>(length(order)));
  if (order == Order::stored)
    std::iota(order_.begin(), order_.end(), 0U);
  else if (order == Order::drawn) {
    if (!group_order_.empty())
      throw Error(code::kInvalidArgument, "Rows that are drawn with replacement have no groups.");
    if (count_ > 0) draw_rows(order_, static_cast<uint32_t>(count_), seed, draw);
  } else if (group_order_.empty())
    permute(order_, seed, draw);
  else
    permute_groups(seed, draw);
  if (!rows_.empty())
    for (uint32_t& row : order_) row = rows_[row];
  made_ = wanted;
  return true;
}

void RowOrder::permute_groups(uint64_t seed, uint64_t draw) {
  permute(group_order_, seed, draw);
  auto to = order_.begin();
  for (uint32_t number : group_order_)
    to = std::copy(member_.begin() + group_begin_[number], member_.begin() + group_begin_[size_t{number} + 1], to);
}

}  // namespace downhill
