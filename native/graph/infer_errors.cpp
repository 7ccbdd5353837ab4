#include "graph/infer_errors.h"

#include "core/error.h"

namespace downhill {

void mismatch(Op op, const std::string& expected, const Inputs& inputs) {
  std::string shapes;
  for (const Node* input : inputs) shapes += (shapes.empty() ? "" : " and ") + input->shape.to_string();
  throw Error(code::kShapeMismatch, std::string(name_of(op)) + ": " + expected + " Received shapes " + shapes + ".");
}

void invalid(Op op, const std::string& message) {
  throw Error(code::kInvalidArgument, std::string(name_of(op)) + ": " + message);
}

}  // namespace downhill
