// Ops that a backend computes by the same kind of loop, so that the table of which op is which stands once.
#pragma once
#include "ops/op.h"

namespace downhill {

enum class Family {
  elementwise,
  matmul,
  reduce,  // sum max min
  argmax,
  attention,      // attention and its gradient
  normalization,  // layerNormalization rmsNormalization and their gradients
  recurrent,      // simpleRNN lstm gru and their gradients
  rows,           // softmax and its relatives
  copy,           // identity stopGradient reshape transpose broadcastTo slice concat pad
  cast,
  noise,  // dropout gaussianDropout gaussianNoise
  gather,
  scatter_add,
  one_hot,
  conv,    // conv2d conv2dTranspose conv2dFilterGrad
  pool,    // maxPool2d averagePool2d and their gradients
  sparse,  // sparseMatmul sparseMatmulGrad sparseDropout
};

/// Throws UNSUPPORTED for what is no step of a plan (leaves, composites).
Family family_of(Op op);

}  // namespace downhill
