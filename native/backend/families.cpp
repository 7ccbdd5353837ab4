#include "backend/families.h"

#include <string>

#include "core/error.h"

namespace downhill {

Family family_of(Op op) {
  if (is_elementwise(op)) return Family::elementwise;
  switch (op) {
    case Op::matmul:
      return Family::matmul;
    case Op::sum:
    case Op::max:
    case Op::min:
      return Family::reduce;
    case Op::argmax:
      return Family::argmax;
    case Op::attention:
    case Op::attentionGrad:
      return Family::attention;
    case Op::layerNormalization:
    case Op::layerNormalizationGrad:
    case Op::layerNormalizationScaleGrad:
    case Op::rmsNormalization:
    case Op::rmsNormalizationGrad:
    case Op::rmsNormalizationScaleGrad:
      return Family::normalization;
    case Op::simpleRNN:
    case Op::simpleRNNGrad:
    case Op::lstm:
    case Op::lstmGrad:
    case Op::gru:
    case Op::gruGrad:
      return Family::recurrent;
    case Op::softmax:
    case Op::logSoftmax:
    case Op::logSumExp:
    case Op::softmaxGrad:
    case Op::logSoftmaxGrad:
    case Op::softmaxCrossEntropy:
    case Op::softmaxCrossEntropyGrad:
    case Op::sparseSoftmaxCrossEntropy:
    case Op::sparseSoftmaxCrossEntropyGrad:
      return Family::rows;
    case Op::identity:
    case Op::stopGradient:
    case Op::reshape:
    case Op::transpose:
    case Op::broadcastTo:
    case Op::concat:
    case Op::slice:
    case Op::pad:
      return Family::copy;
    case Op::cast:
      return Family::cast;
    case Op::dropout:
    case Op::gaussianDropout:
    case Op::gaussianNoise:
      return Family::noise;
    case Op::gather:
      return Family::gather;
    case Op::scatterAdd:
      return Family::scatter_add;
    case Op::oneHot:
      return Family::one_hot;
    case Op::conv2d:
    case Op::conv2dTranspose:
    case Op::conv2dFilterGrad:
      return Family::conv;
    case Op::maxPool2d:
    case Op::maxPool2dGrad:
    case Op::maxPool2dPick:
    case Op::averagePool2d:
    case Op::averagePool2dGrad:
      return Family::pool;
    case Op::sparseMatmul:
    case Op::sparseMatmulGrad:
    case Op::sparseDropout:
      return Family::sparse;
    default:
      throw Error(code::kUnsupported, std::string("No backend has a kernel for ") + name_of(op) + ".");
  }
}

}  // namespace downhill
