// A plan: what to run in which order, and where every value lives. Made from a graph with no device at hand.
#pragma once
#include <memory>
#include <string>
#include <vector>

#include "graph/graph.h"

namespace downhill {

enum class Place : uint8_t {
  arena,    // offset in the program's workspace
  input,    // bound at each run: index of the graph's input
  output,   // bound at each run: index of the requested output
  storage,  // a variable, a constant, or an output with a target of its own (a gradient in the flat arena)
};

/// One array that steps read and write.
struct Value {
  Shape shape;
  DType dtype = DType::float32;
  Place place = Place::arena;
  size_t offset = 0;                 // arena: bytes
  int index = -1;                    // input, output
  std::shared_ptr<Storage> storage;  // storage
  int alias_of = -1;                 // shares the place of that value (a reshape)
  size_t bytes() const { return static_cast<size_t>(shape.size()) * size_of(dtype); }
};

/// What a matmul or conv2d does to its result while it is still in cache: + bias (by column), then an activation or the
/// gradient of one.
struct Epilogue {
  bool bias = false;             // the third input
  Op activation = Op::identity;  // a unary row f(result), or its gradient f(last input, result); identity: none
  Attrs attrs;                   // of the activation
  bool has_gradient() const { return is_activation_gradient(activation); }
};

/// One launch. Inputs and output are indices of Plan::values; shapes of the operands stand in the values.
/// A reshape costs nothing: its result is another Value at the same place. Op::identity is a copy (an output that is
/// also something else).
struct Step {
  Op op = Op::identity;
  std::vector<int> inputs;
  int output = -1;
  /// Another result: of a matmul of rank 2, a transposed, the sums of b (k, n) over k; of the gradient of a
  /// normalization those of d_y (rows, n) over the rows, which is the gradient of beta.
  int column_sums = -1;
  int scale_gradient = -1;  // of a normalization's x: another result, the gradient of gamma
  Attrs attrs;
  Epilogue epilogue;  // matmul and conv2d only
  NodeId node = -1;   // of the graph, for messages
  std::string label;  // layer or variable, for messages and describe()
  Phase phase = Phase::forward;
  /// What this step runs block by block, in this order: elementwise steps, casts and dropouts over arrays of one shape,
  /// and reductions of their results along rows (passes/chains.h). Empty: the step is one op. `inputs` are then all
  /// that they read from outside, op and attributes those of the last of them, `output` and `more_outputs` all results
  /// that others read; the other results never reach memory.
  std::vector<Step> chain;
  /// matmul and normalizations: what follows, on finished blocks, each step on the result of the one before
  /// (passes/tails.h). `inputs` end with what these read from outside; `output` and `more_outputs` are the results that
  /// others read.
  std::vector<Step> tail;
  size_t own_inputs = 0;  // where there is a tail: how many of the inputs the step itself reads
  int sums = -1;          // where there is a tail: the value of the step itself, a product with its epilogue
  std::vector<int> more_outputs;

  std::vector<int> outputs() const {
    std::vector<int> all{output};
    if (scale_gradient >= 0) all.push_back(scale_gradient);
    if (column_sums >= 0) all.push_back(column_sums);
    all.insert(all.end(), more_outputs.begin(), more_outputs.end());
    return all;
  }
  /// Of a matmul without its tail: a, b, a bias, and what the gradient of an activation reads.
  size_t product_inputs() const { return 2 + size_t{epilogue.bias} + size_t{epilogue.has_gradient()}; }
};

/// A value copied into a variable when all steps have run.
struct StateWrite {
  int from = -1, to = -1;  // values
};

struct Plan {
  std::vector<Value> values;
  std::vector<Step> steps;
  std::vector<StateWrite> writes;
  std::vector<int> inputs;   // value of each graph input; -1 when nothing uses it
  std::vector<int> outputs;  // value of each requested output
  size_t arena_bytes = 0;
  /// Variables that steps read or that are written: their buffers are locked while the program runs.
  std::vector<std::shared_ptr<Storage>> variables;
};

struct PlanOptions {
  std::vector<NodeId> outputs;
  std::vector<std::shared_ptr<Storage>> targets;                    // parallel to outputs, or empty; null: bound at run
  std::vector<std::pair<std::shared_ptr<Storage>, NodeId>> writes;  // state writes (variable, value)
  bool fold = true;                                                 // constant folding
  bool chains = true;                                               // elementwise chains
  bool tails = true;                                                // of matrix products
};

/// Layers that are to be computed again for the backward pass are (passes/recompute.h).
Plan make_plan(const Graph& graph, const PlanOptions& options);

/// By value: whether a step or a state write changes it.
std::vector<bool> written_values(const Plan& plan);

/// The op with what is fused into it: "matmul+bias+relu".
std::string name_of(const Step& step);
/// Steps with shapes, bytes and FLOPs, and the totals, as text.
std::string describe(const Plan& plan);
/// Estimates for describe(), profiles and the choice between running at once and queueing.
double flops_of(const Plan& plan, const Step& step);
double bytes_of(const Plan& plan, const Step& step);
struct Work {
  double flops = 0, bytes = 0;
};
Work work_of(const Plan& plan);  // of all steps
/// Ops that are computed again for the backward pass.
size_t recomputed_steps(const Plan& plan);

}  // namespace downhill
