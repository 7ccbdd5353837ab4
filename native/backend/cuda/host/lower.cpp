// Which function lowers which op.
#include "backend/cuda/host/lower.h"

#include "core/error.h"

namespace downhill::cuda {

void lower(Lowering& lowering) {
  const Op op = lowering.step.op;
  if (is_elementwise(op)) return lower_elementwise(lowering);
  switch (op) {
    case Op::matmul:
      return lower_matmul(lowering);
    case Op::sum:
    case Op::max:
    case Op::min:
      return lower_reduce(lowering);
    case Op::argmax:
      return lower_argmax(lowering);
    case Op::softmax:
    case Op::logSoftmax:
    case Op::logSumExp:
    case Op::softmaxGrad:
    case Op::logSoftmaxGrad:
    case Op::softmaxCrossEntropy:
    case Op::softmaxCrossEntropyGrad:
    case Op::sparseSoftmaxCrossEntropy:
    case Op::sparseSoftmaxCrossEntropyGrad:
      return lower_rows(lowering);
    case Op::identity:
    case Op::stopGradient:
    case Op::reshape:
    case Op::transpose:
    case Op::broadcastTo:
    case Op::concat:
    case Op::slice:
    case Op::pad:
      return lower_copy(lowering);
    case Op::cast:
      return lower_cast(lowering);
    case Op::dropout:
      return lower_dropout(lowering);
    case Op::gather:
      return lower_gather(lowering);
    case Op::scatterAdd:
      return lower_scatter_add(lowering);
    case Op::oneHot:
      return lower_one_hot(lowering);
    default:
      throw Error(code::kUnsupported, std::string("The CUDA backend has no kernel for ") + name_of(op) + ".");
  }
}

}  // namespace downhill::cuda
