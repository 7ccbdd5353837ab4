// Softmax and its relatives along one axis.
#include "backend/cuda/host/lower.h"

namespace downhill::cuda {

namespace {

RowOp row_op(Op op) {
  switch (op) {
    case Op::logSoftmax:
      return RowOp::log_softmax;
    case Op::logSumExp:
      return RowOp::log_sum_exp;
    case Op::softmaxGrad:
      return RowOp::softmax_grad;
    case Op::logSoftmaxGrad:
      return RowOp::log_softmax_grad;
    case Op::softmaxCrossEntropy:
      return RowOp::cross_entropy;
    case Op::softmaxCrossEntropyGrad:
      return RowOp::cross_entropy_grad;
    case Op::sparseSoftmaxCrossEntropy:
      return RowOp::sparse_cross_entropy;
    case Op::sparseSoftmaxCrossEntropyGrad:
      return RowOp::sparse_cross_entropy_grad;
    default:
      return RowOp::softmax;
  }
}

bool is_cross_entropy(RowOp op) { return op >= RowOp::cross_entropy; }
bool takes_labels(RowOp op) { return op == RowOp::sparse_cross_entropy || op == RowOp::sparse_cross_entropy_grad; }

}  // namespace

void lower_rows(Lowering& lowering) {
  const Shape& shape = lowering.in(0).shape;
  RowsArgs args{};
  args.op = row_op(lowering.step.op);
  int axis = shape.rank() - 1;
  if (args.op == RowOp::log_sum_exp) {
    const std::vector<int64_t> axes = lowering.step.attrs.ints("axes");
    if (axes.empty()) return lower_copy(lowering);  // of a scalar
    axis = static_cast<int>(axes[0]);
  } else if (!is_cross_entropy(args.op)) {
    axis = lowering.axis();
  }
  args.outer = args.inner = 1;
  args.n = shape[axis];
  for (int i = 0; i < axis; ++i) args.outer *= shape[i];
  for (int i = axis + 1; i < shape.rank(); ++i) args.inner *= shape[i];
  args.x = static_cast<const float*>(lowering.input(0));
  if (lowering.step.inputs.size() > 1) args.second = lowering.input(1);
  if (lowering.step.inputs.size() > 2) args.d_y = static_cast<const float*>(lowering.input(2));
  args.y = static_cast<float*>(lowering.output());
  if (takes_labels(args.op)) {
    CheckIndicesArgs check{};
    check.indices = static_cast<const int32_t*>(args.second);
    check.n = args.outer;
    check.limit = args.n;
    check.id = lowering.id;
    check.state = lowering.state;
    lowering.add(check);
  }
  lowering.add(args);
}

}  // namespace downhill::cuda
