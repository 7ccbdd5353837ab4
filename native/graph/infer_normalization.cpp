#include "graph/infer_normalization.h"

#include <cmath>

#include "core/error.h"
#include "graph/normalization.h"

namespace downhill::normalization {

namespace {

[[noreturn]] void mismatch(Op op, const std::string& expected, const Inputs& inputs) {
  std::string shapes;
  for (const Node* input : inputs) shapes += (shapes.empty() ? "" : " and ") + input->shape.to_string();
  throw Error(code::kShapeMismatch, std::string(name_of(op)) + ": " + expected + " Received shapes " + shapes + ".");
}

/// Checks all but the cotangent; gives the shape of gamma and beta.
Shape checked(Op op, const Inputs& inputs, const Attrs& attrs) {
  const NormalizationOperands operands = normalization_operands(op, attrs);
  if (inputs.size() != operands.count)
    throw Error(code::kInvalidArgument, std::string(name_of(op)) + ": expected " + std::to_string(operands.count) +
                                            " operand(s), received " + std::to_string(inputs.size()) + ".");
  const double epsilon = attrs.number("epsilon");
  if (!(epsilon >= 0) || std::isinf(epsilon))
    throw Error(code::kInvalidArgument, std::string(name_of(op)) +
                                            ": epsilon must be finite and at least 0; received " +
                                            std::to_string(epsilon) + ".");
  const Shape& x = inputs[0]->shape;
  if (x.rank() == 0) mismatch(op, "expected at least one dimension.", inputs);
  const Shape row({x[x.rank() - 1]});
  for (int operand : {operands.gamma, operands.beta})
    if (operand >= 0 && inputs[static_cast<size_t>(operand)]->shape != row)
      mismatch(op,
               "what rows are multiplied with and what is added must have the shape of a row, " + row.to_string() + ".",
               inputs);
  return row;
}

void need_cotangent(Op op, const Inputs& inputs) {
  if (inputs[1]->shape != inputs[0]->shape) mismatch(op, "expected a gradient of the shape of x.", inputs);
}

}  // namespace

Inferred shape_normalization(Op op, const Inputs& inputs, Attrs& attrs) {
  checked(op, inputs, attrs);
  return {inputs[0]->shape, DType::float32};
}

Inferred shape_normalization_grad(Op op, const Inputs& inputs, Attrs& attrs) {
  checked(op, inputs, attrs);
  need_cotangent(op, inputs);
  return {inputs[0]->shape, DType::float32};
}

Inferred shape_normalization_scale(Op op, const Inputs& inputs, Attrs& attrs) {
  const Shape row = checked(op, inputs, attrs);
  need_cotangent(op, inputs);
  return {row, DType::float32};
}

}  // namespace downhill::normalization
