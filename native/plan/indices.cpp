#include "plan/indices.h"

namespace downhill {

bool is_sparse(Op op) { return op == Op::sparseMatmul || op == Op::sparseMatmulGrad || op == Op::sparseDropout; }

Error IndexDomain::error(int32_t value, int64_t position) const {
  if (rows >= 0) {
    const bool start = position >= count;
    return Error(code, who + ": " + (start ? "indptr " : "index ") + std::to_string(value) + " at position " +
                           std::to_string(start ? position - count : position) + " is out of range; expected 0 to " +
                           std::to_string(start ? count : limit - 1) + ", ascending" +
                           (start ? "." : " within each row."));
  }
  return Error(code, who + ": " + what + " " + std::to_string(value) + " at position " + std::to_string(position) +
                         " is out of range; expected " + (limit > 0 ? "0 to " + std::to_string(limit - 1) : "none") +
                         ".");
}

IndexDomain index_domain(const Plan& plan, const Step& step) {
  const auto shape = [&](size_t i) -> const Shape& { return plan.values[static_cast<size_t>(step.inputs[i])].shape; };
  IndexDomain domain{code::kOutOfRange, "index", name_of(step.op), 0, 0};
  if (!step.label.empty()) domain.who += " (" + step.label + ")";
  const int axis = static_cast<int>(step.attrs.integer("axis"));
  switch (step.op) {
    case Op::gather:
      domain.count = shape(1).size();
      domain.limit = shape(0)[axis];
      break;
    case Op::scatterAdd:
      domain.count = shape(0).size();
      domain.limit = plan.values[static_cast<size_t>(step.output)].shape[axis];
      break;
    case Op::oneHot:
      domain = {code::kLabelOutOfRange, "label", domain.who, shape(0).size(), step.attrs.integer("depth")};
      break;
    case Op::sparseMatmul:
    case Op::sparseDropout:
      domain.limit = step.attrs.integer("columns");
      break;
    case Op::sparseMatmulGrad:
      domain.limit = shape(3)[0];
      break;
    case Op::sparseSoftmaxCrossEntropy:
    case Op::sparseSoftmaxCrossEntropyGrad:
      domain = {code::kLabelOutOfRange, "label", domain.who, shape(1).size(), shape(0)[shape(0).rank() - 1]};
      break;
    default:
      break;
  }
  if (is_sparse(step.op)) {
    domain.rows = shape(0).size() - 1;
    domain.count = shape(1).size();
  }
  return domain;
}

bool checked_before(const Plan& plan, const Step& step) {
  const int64_t limit = index_domain(plan, step).limit;
  for (const Step& other : plan.steps) {
    if (&other == &step) return false;
    if (is_sparse(other.op) && other.inputs[0] == step.inputs[0] && other.inputs[1] == step.inputs[1] &&
        index_domain(plan, other).limit == limit)
      return true;
  }
  return false;
}

}  // namespace downhill
