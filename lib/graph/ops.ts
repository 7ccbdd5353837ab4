// The public `ops`: one export per row of native/ops/ops.def that users call.
export * from './ops/activations.js';
export { type AttentionOptions, attention } from './ops/attention.js';
export {
  abs,
  add,
  clip,
  div,
  equal,
  erf,
  exp,
  greater,
  greaterEqual,
  less,
  lessEqual,
  log,
  maximum,
  minimum,
  mul,
  neg,
  notEqual,
  pow,
  rsqrt,
  sign,
  sqrt,
  square,
  sub,
  where,
} from './ops/elementwise.js';
export {
  binaryCrossEntropy,
  categoricalCrossEntropy,
  logSoftmax,
  type MatmulOptions,
  matmul,
  softmax,
  softmaxCrossEntropy,
  sparseCategoricalCrossEntropy,
  sparseSoftmaxCrossEntropy,
} from './ops/matrix.js';
export {
  broadcastTo,
  cast,
  concat,
  gather,
  identity,
  oneHot,
  pad,
  reshape,
  scatterAdd,
  slice,
  stopGradient,
  transpose,
} from './ops/movement.js';
export {
  type LayerNormalizationOptions,
  layerNormalization,
  type RmsNormalizationOptions,
  rmsNormalization,
} from './ops/normalization.js';
export { type SparseMatmulOptions, sparseMatmul } from './ops/sparse.js';
export { gru, lstm, simpleRNN } from './ops/recurrent.js';
export {
  type Axes,
  argmax,
  logSumExp,
  max,
  mean,
  min,
  norm,
  type Reduction,
  type ReductionOptions,
  sum,
  variance,
} from './ops/reductions.js';
export {
  averagePool2d,
  type ConvOptions,
  type ConvTransposeOptions,
  conv2d,
  conv2dTranspose,
  maxPool2d,
  type Padding,
  type Pair,
  type PoolOptions,
} from './ops/windows.js';
