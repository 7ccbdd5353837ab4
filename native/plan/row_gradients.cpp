#include "plan/row_gradients.h"

#include "core/touched_rows.h"

namespace downhill {

namespace {

/// Elements for each index that may name a row. With fewer, going over all of them is as fast as listing rows.
constexpr int64_t kElementsPerIndex = 16;

}  // namespace

bool writes_rows(const Plan& plan, const Step& step) {
  const bool product = step.op == Op::sparseMatmul && step.attrs.flag("transposeA");
  const bool scattered = step.op == Op::scatterAdd && step.attrs.integer("axis") == 0;
  if (!product && !scattered) return false;
  const Value& out = plan.values[static_cast<size_t>(step.output)];
  if (out.place != Place::storage || !out.storage->rows || out.dtype != DType::float32) return false;
  const Shape& indices = plan.values[static_cast<size_t>(step.inputs[product ? 1 : 0])].shape;
  return indices.size() > 0 && out.shape.size() / indices.size() >= kElementsPerIndex;
}

}  // namespace downhill
