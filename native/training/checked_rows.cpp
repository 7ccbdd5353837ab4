#include "training/checked_rows.h"

#include <algorithm>

#include "plan/indices.h"

namespace downhill {

bool sparse_checked(const Plan& plan, const Dataset& dataset) {
  const std::vector<Column>& columns = dataset.columns();
  const auto is = [&](int value, Column::Layout layout, int64_t limit) {
    const Value& given = plan.values[static_cast<size_t>(value)];
    if (given.place != Place::input || static_cast<size_t>(given.index) >= columns.size()) return false;
    const Column& column = columns[static_cast<size_t>(given.index)];
    return column.layout == layout && column.width <= limit;
  };
  return std::all_of(plan.steps.begin(), plan.steps.end(), [&](const Step& step) {
    if (!is_sparse(step.op)) return true;
    const int64_t limit = index_domain(plan, step).limit;
    return is(step.inputs[0], Column::Layout::starts, limit) && is(step.inputs[1], Column::Layout::values, limit);
  });
}

}  // namespace downhill
