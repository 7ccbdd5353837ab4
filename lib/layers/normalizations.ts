// Normalizations, activations with parameters, dropout of channels.
export type { AffineOptions } from './normalization/affine.js';
export {
  BatchNormalization,
  type BatchNormalizationOptions,
  batchNormalization,
} from './normalization/batch-normalization.js';
export {
  GroupNormalization,
  type GroupNormalizationOptions,
  groupNormalization,
} from './normalization/group-normalization.js';
export {
  LayerNormalization,
  type LayerNormalizationOptions,
  layerNormalization,
} from './normalization/layer-normalization.js';
export { Normalization, type NormalizationOptions, normalization } from './normalization/normalization.js';
export { Prelu, type PreluOptions, prelu } from './activation/prelu.js';
export {
  Elu,
  type EluOptions,
  elu,
  LeakyRelu,
  type LeakyReluOptions,
  leakyRelu,
  Relu,
  type ReluOptions,
  relu,
} from './activation/relu.js';
export { type PerFeature, Rescaling, type RescalingOptions, rescaling } from './normalization/rescaling.js';
export { RmsNormalization, type RmsNormalizationOptions, rmsNormalization } from './normalization/rms-normalization.js';
export { Softmax, type SoftmaxOptions, softmax } from './activation/softmax.js';
export {
  AlphaDropout,
  type AlphaDropoutOptions,
  alphaDropout,
  SpatialDropout1d,
  type SpatialDropout1dOptions,
  SpatialDropout2d,
  type SpatialDropout2dOptions,
  spatialDropout1d,
  spatialDropout2d,
} from './regularization/spatial-dropout.js';
export {
  UnitNormalization,
  type UnitNormalizationOptions,
  unitNormalization,
} from './normalization/unit-normalization.js';
