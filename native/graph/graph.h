// The graph: nodes in topological order, shapes and dtypes known for each. Built by tracing, extended by autodiff.
#pragma once
#include <deque>
#include <memory>
#include <string>
#include <vector>

#include "core/dtype.h"
#include "core/shape.h"
#include "core/storage.h"
#include "ops/op.h"

namespace downhill {

using NodeId = int;

/// When in a training step a node is computed. again: a forward node once more, for the backward pass.
enum class Phase : uint8_t { forward, backward, again };

struct Node {
  Op op;
  std::vector<NodeId> inputs;
  Attrs attrs;
  Shape shape;
  DType dtype;
  std::shared_ptr<Storage> storage;  // constants and variables
  int index = -1;                    // inputs: which one
  std::string label;                 // layer or variable name, for messages and describe()
  int unit = -1;                     // call of a layer that it is part of, or the derivative of; -1: none
  Phase phase = Phase::forward;
};

class Graph {
 public:
  /// Adds a node (or, for a composite, several) after checking arity, attributes and shapes, converting operands and
  /// inferring the result. Returns its id. Throws SHAPE_MISMATCH, DTYPE_MISMATCH, INVALID_ARGUMENT with op and shapes.
  NodeId add(Op op, const std::vector<NodeId>& inputs, Attrs attrs = {});

  NodeId input(const Shape& shape, DType dtype, std::string label = "");
  NodeId constant(std::shared_ptr<Storage> storage, const Shape& shape, DType dtype);
  NodeId variable(std::shared_ptr<Storage> storage, const Shape& shape, DType dtype, std::string label = "");
  NodeId scalar(double value, DType dtype = DType::float32);

  const Node& operator[](NodeId id) const;  // throws INTERNAL for a foreign id
  int size() const { return static_cast<int>(nodes_.size()); }
  int input_count() const { return inputs_; }
  std::string to_string() const;
  /// Prefix for the messages of errors raised while adding, e.g. the layer being traced: "dense_1".
  void set_scope(std::string scope) { scope_ = std::move(scope); }
  const std::string& scope() const { return scope_; }

  /// Between them, nodes are those of one call of a layer. recompute: what it makes is not kept for the backward pass.
  /// Calls within a call are part of it, but for those that are computed again where it is not.
  void enter(bool recompute);
  void leave();
  /// By unit: whether it is computed again.
  const std::vector<char>& recomputed() const { return recomputed_; }

  /// While a node is differentiated: what is added meanwhile is backward, unless all of it is part of a layer's call.
  struct Source {
    bool backward = false;
    int unit = -1;
  };
  void set_source(Source source) { source_ = source; }
  const Source& source() const { return source_; }

 private:
  NodeId push(Node node);
  NodeId convert(NodeId id, DType dtype);
  NodeId matmul_by_rows(NodeId a, NodeId b, Attrs attrs);

  std::deque<Node> nodes_;  // references stay valid while nodes are added
  int inputs_ = 0;
  std::string scope_;
  std::vector<int> calls_;        // units of the layers being called, from outside to inside
  std::vector<char> recomputed_;  // by unit
  Source source_;
};

/// Result shape and dtype of an op; normalises attributes (negative axes, -1 in shapes) in place. graph/infer.cpp
struct Inferred {
  Shape shape;
  DType dtype;
};
Inferred infer(Op op, const std::vector<const Node*>& inputs, Attrs& attrs);

/// Shorthand to build expressions: composites, gradient rules and decompositions read like the formulas they implement.
struct Expr {
  Graph* graph = nullptr;
  NodeId id = -1;
  const Node& node() const { return (*graph)[id]; }
  const Shape& shape() const { return node().shape; }
};
Expr apply(Op op, std::initializer_list<Expr> inputs, Attrs attrs = {});
Expr operator+(Expr a, Expr b);
Expr operator-(Expr a, Expr b);
Expr operator*(Expr a, Expr b);
Expr operator/(Expr a, Expr b);
Expr operator-(Expr a);
Expr operator+(Expr a, double b);
Expr operator-(double a, Expr b);
Expr operator*(Expr a, double b);
Expr operator/(Expr a, double b);

}  // namespace downhill
