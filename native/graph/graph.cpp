#include "graph/graph.h"

#include <cstdint>
#include <cstring>

#include "core/error.h"
#include "graph/composite.h"

namespace downhill {

namespace {

/// Attributes must be among those of the row.
void check_attributes(const OpRow& row, const Attrs& attrs) {
  const std::string schema = std::string(" ") + row.attributes;
  for (const auto& [name, value] : attrs.items()) {
    const size_t at = schema.find(" " + name + ":");
    if (at == std::string::npos)
      throw Error(code::kUnknownName, std::string(row.name) + ": unknown attribute \"" + name +
                                          "\" (it has: " + (row.attributes[0] ? row.attributes : "none") + ").");
    const bool list = schema.compare(at + name.size() + 2, 4, "ints") == 0;
    if (list != value.is_list)
      throw Error(code::kInvalidArgument, std::string(row.name) + ": attribute \"" + name + "\" must be " +
                                              (list ? "a list of integers." : "a single value."));
  }
}

bool wants_float(Op op) {
  switch (op) {
    case Op::matmul:
    case Op::softmax:
    case Op::logSoftmax:
    case Op::logSumExp:
    case Op::softmaxGrad:
    case Op::logSoftmaxGrad:
    case Op::dropout:
    case Op::gaussianDropout:
    case Op::gaussianNoise:
    case Op::simpleRNN:
    case Op::simpleRNNGrad:
    case Op::lstm:
    case Op::lstmGrad:
    case Op::gru:
    case Op::gruGrad:
    case Op::layerNormalization:
    case Op::layerNormalizationGrad:
    case Op::layerNormalizationScaleGrad:
    case Op::rmsNormalization:
    case Op::rmsNormalizationGrad:
    case Op::rmsNormalizationScaleGrad:
    case Op::conv2d:
    case Op::conv2dTranspose:
    case Op::conv2dFilterGrad:
    case Op::maxPool2d:
    case Op::maxPool2dGrad:
    case Op::maxPool2dPick:
    case Op::averagePool2d:
    case Op::averagePool2dGrad:
      return true;
    default:
      return row_of(op).types == OpTypes::F;
  }
}

bool promotes(Op op) { return row_of(op).types == OpTypes::FI || row_of(op).types == OpTypes::C || op == Op::concat; }

/// The first operands of the cross-entropies are float32; labels stay int32.
int leading_floats(Op op) {
  switch (op) {
    case Op::softmaxCrossEntropy:
      return 2;
    case Op::softmaxCrossEntropyGrad:
      return 3;
    case Op::sparseSoftmaxCrossEntropy:
      return 1;
    default:
      return 0;
  }
}

/// Behind indptr and indices all operands are float32.
size_t first_float(Op op) {
  const bool sparse = op == Op::sparseMatmul || op == Op::sparseMatmulGrad || op == Op::sparseDropout;
  return sparse ? 2 : SIZE_MAX;
}

/// All operands but a mask, which is int32 or float32 as it comes.
size_t attention_floats(Op op, size_t operands) {
  const size_t first = op == Op::attentionGrad ? 2 : 0;
  return op != Op::attention && op != Op::attentionGrad ? 0 : first + (operands - first < 3 ? 1 : 3);
}

}  // namespace

NodeId Graph::push(Node node) {
  if (node.label.empty()) node.label = scope_;
  if (!calls_.empty()) {
    node.unit = calls_.back();
  } else if (source_.backward) {
    node.unit = source_.unit;
    node.phase = Phase::backward;
  }
  nodes_.push_back(std::move(node));
  return size() - 1;
}

void Graph::enter(bool recompute) {
  const int outer = calls_.empty() ? -1 : calls_.back();
  const bool part = outer >= 0 && (!recompute || recomputed_[static_cast<size_t>(outer)] != 0);
  if (!part) recomputed_.push_back(recompute);
  calls_.push_back(part ? outer : static_cast<int>(recomputed_.size()) - 1);
}

void Graph::leave() {
  if (calls_.empty()) throw Error(code::kInternal, "No call of a layer to leave.");
  calls_.pop_back();
}

const Node& Graph::operator[](NodeId id) const {
  if (id < 0 || id >= size()) throw Error(code::kInternal, "Node " + std::to_string(id) + " is not in this graph.");
  return nodes_[id];
}

NodeId Graph::convert(NodeId id, DType dtype) {
  if ((*this)[id].dtype == dtype) return id;
  return add(Op::cast, {id}, Attrs().set("dtype", static_cast<double>(dtype)));
}

NodeId Graph::add(Op op, const std::vector<NodeId>& given, Attrs attrs) {
  const OpRow& row = row_of(op);
  try {
    if (row.arity >= 0 ? static_cast<int>(given.size()) != row.arity : given.empty())
      throw Error(code::kInvalidArgument,
                  std::string(row.name) + ": expected " +
                      (row.arity >= 0 ? std::to_string(row.arity) : std::string("at least one")) +
                      " operand(s), received " + std::to_string(given.size()) + ".");
    check_attributes(row, attrs);
    for (NodeId id : given) (*this)[id];
    if (row.kind == OpKind::composite) return build_composite(*this, op, given, attrs);

    std::vector<NodeId> inputs = given;
    if (wants_float(op)) {
      for (NodeId& id : inputs) id = convert(id, DType::float32);
    } else if (op == Op::where) {
      const bool floats = (*this)[inputs[1]].dtype == DType::float32 || (*this)[inputs[2]].dtype == DType::float32;
      const DType dtype = floats ? DType::float32 : DType::int32;
      if ((*this)[inputs[0]].dtype == DType::float32 && !floats) inputs[0] = add(Op::notEqual, {inputs[0], scalar(0)});
      for (NodeId& id : inputs) id = convert(id, dtype);
    } else if (promotes(op)) {
      bool floats = false;
      for (NodeId id : inputs) floats |= (*this)[id].dtype == DType::float32;
      if (floats)
        for (NodeId& id : inputs) id = convert(id, DType::float32);
    } else {
      for (int i = 0; i < leading_floats(op); ++i) inputs[i] = convert(inputs[i], DType::float32);
      for (size_t i = 0; i < attention_floats(op, inputs.size()) && i < inputs.size(); ++i)
        inputs[i] = convert(inputs[i], DType::float32);
      for (size_t i = first_float(op); i < inputs.size(); ++i) inputs[i] = convert(inputs[i], DType::float32);
    }

    if (op == Op::matmul && nodes_[inputs[0]].shape.rank() > 2 && nodes_[inputs[1]].shape.rank() == 2 &&
        !attrs.flag("transposeA"))
      return matmul_by_rows(inputs[0], inputs[1], std::move(attrs));

    std::vector<const Node*> nodes;
    for (NodeId id : inputs) nodes.push_back(&nodes_[id]);
    const Inferred result = infer(op, nodes, attrs);
    Node node;
    node.op = op;
    node.inputs = std::move(inputs);
    node.attrs = std::move(attrs);
    node.shape = result.shape;
    node.dtype = result.dtype;
    return push(std::move(node));
  } catch (const Error& error) {
    const std::string message = error.what();
    if (scope_.empty() || message.rfind("In ", 0) == 0) throw;
    throw Error(error.code(), "In " + scope_ + ": " + message);
  }
}

/// [..., m, k] · [k, n] is one product of all rows.
NodeId Graph::matmul_by_rows(NodeId a, NodeId b, Attrs attrs) {
  std::vector<int64_t> dims = nodes_[a].shape.to_vector();
  const int64_t inner = dims.back();
  int64_t rows = 1;
  for (size_t i = 0; i + 1 < dims.size(); ++i) rows *= dims[i];
  const NodeId flat = add(Op::reshape, {a}, Attrs().set("shape", std::vector<int64_t>{rows, inner}));
  const NodeId product = add(Op::matmul, {flat, b}, std::move(attrs));
  dims.back() = nodes_[product].shape[1];
  return add(Op::reshape, {product}, Attrs().set("shape", dims));
}

NodeId Graph::input(const Shape& shape, DType dtype, std::string label) {
  Node node{Op::input, {}, {}, shape, dtype, nullptr, inputs_++, std::move(label)};
  return push(std::move(node));
}

NodeId Graph::constant(std::shared_ptr<Storage> storage, const Shape& shape, DType dtype) {
  if (storage->bytes != static_cast<size_t>(shape.size()) * size_of(dtype))
    throw Error(code::kShapeMismatch, "constant: " + std::to_string(storage->bytes) + " bytes are not a " +
                                          name_of(dtype) + " tensor of shape " + shape.to_string() + ".");
  return push({Op::constant, {}, {}, shape, dtype, std::move(storage), -1, ""});
}

NodeId Graph::variable(std::shared_ptr<Storage> storage, const Shape& shape, DType dtype, std::string label) {
  if (storage->bytes != static_cast<size_t>(shape.size()) * size_of(dtype))
    throw Error(code::kShapeMismatch, "variable: " + std::to_string(storage->bytes) + " bytes are not a " +
                                          name_of(dtype) + " tensor of shape " + shape.to_string() + ".");
  for (NodeId id = 0; id < size(); ++id)  // a shared variable appears once, so its gradients add up
    if (nodes_[id].op == Op::variable && nodes_[id].storage->buffer == storage->buffer &&
        nodes_[id].storage->offset == storage->offset) {
      if (nodes_[id].shape == shape && nodes_[id].dtype == dtype) return id;
    }
  return push({Op::variable, {}, {}, shape, dtype, std::move(storage), -1, std::move(label)});
}

NodeId Graph::scalar(double value, DType dtype) {
  auto storage = std::make_shared<Storage>();
  storage->buffer = std::make_shared<Buffer>(size_of(dtype));
  storage->bytes = size_of(dtype);
  if (dtype == DType::float32) {
    const float f = static_cast<float>(value);
    std::memcpy(storage->data(), &f, sizeof f);
  } else {
    const int32_t i = value >= 2147483647.0    ? INT32_MAX
                      : value <= -2147483648.0 ? INT32_MIN
                                               : static_cast<int32_t>(value);
    std::memcpy(storage->data(), &i, sizeof i);
  }
  return constant(std::move(storage), Shape(), dtype);
}

std::string Graph::to_string() const {
  std::string text;
  for (NodeId id = 0; id < size(); ++id) {
    const Node& node = nodes_[id];
    text += "%" + std::to_string(id) + " = " + name_of(node.op) + "(";
    for (size_t i = 0; i < node.inputs.size(); ++i) text += (i ? ", %" : "%") + std::to_string(node.inputs[i]);
    const std::string attrs = node.attrs.to_string();
    if (!attrs.empty()) text += (node.inputs.empty() ? "" : "; ") + attrs;
    text += std::string(") ") + name_of(node.dtype) + " " + node.shape.to_string();
    if (!node.label.empty()) text += "  # " + node.label;
    text += "\n";
  }
  return text;
}

}  // namespace downhill
