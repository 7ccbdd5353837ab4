// How configs name normalizations, activations with parameters and dropout of channels.
import type { Entry } from '../config/registry.js';
import { affineNested } from './normalization/affine.js';
import { BatchNormalization, batchNormalization } from './normalization/batch-normalization.js';
import { GroupNormalization, groupNormalization } from './normalization/group-normalization.js';
import { LayerNormalization, layerNormalization } from './normalization/layer-normalization.js';
import { Normalization, normalization } from './normalization/normalization.js';
import { Prelu, prelu } from './activation/prelu.js';
import { Elu, elu, LeakyRelu, leakyRelu, Relu, relu } from './activation/relu.js';
import { Rescaling, rescaling } from './normalization/rescaling.js';
import { RmsNormalization, rmsNormalization } from './normalization/rms-normalization.js';
import { Softmax, softmax } from './activation/softmax.js';
import * as spatial from './regularization/spatial-dropout.js';
import { UnitNormalization, unitNormalization } from './normalization/unit-normalization.js';

export const normalizationEntries: Readonly<Record<string, Entry>> = {
  AlphaDropout: { type: spatial.AlphaDropout, make: spatial.alphaDropout },
  BatchNormalization: {
    type: BatchNormalization,
    make: batchNormalization,
    nested: { ...affineNested, movingMeanInitializer: 'initializer', movingVarianceInitializer: 'initializer' },
  },
  ELU: { type: Elu, make: elu },
  GroupNormalization: { type: GroupNormalization, make: groupNormalization, nested: affineNested },
  LayerNormalization: { type: LayerNormalization, make: layerNormalization, nested: affineNested },
  LeakyReLU: { type: LeakyRelu, make: leakyRelu },
  Normalization: { type: Normalization, make: normalization },
  PReLU: {
    type: Prelu,
    make: prelu,
    nested: { alphaInitializer: 'initializer', alphaRegularizer: 'regularizer', alphaConstraint: 'constraint' },
  },
  RMSNormalization: { type: RmsNormalization, make: rmsNormalization },
  ReLU: { type: Relu, make: relu },
  Rescaling: { type: Rescaling, make: rescaling },
  Softmax: { type: Softmax, make: softmax },
  SpatialDropout1D: { type: spatial.SpatialDropout1d, make: spatial.spatialDropout1d },
  SpatialDropout2D: { type: spatial.SpatialDropout2d, make: spatial.spatialDropout2d },
  UnitNormalization: { type: UnitNormalization, make: unitNormalization },
};
