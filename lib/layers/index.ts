// The layers, and how configs name them.
import { type Kind, register, registerBase } from '../config/registry.js';
import { Activation, activation } from './activation/activation.js';
import { table } from './activations.js';
import { AdditiveAttention, Attention, additiveAttention, attention } from './attention/attention.js';
import { Conv1D, Conv2D, conv1d, conv2d } from './convolution/conv.js';
import { DepthwiseConv2D, depthwiseConv2d, SeparableConv2D, separableConv2d } from './convolution/conv-depthwise.js';
import { Conv2DTranspose, conv2dTranspose } from './convolution/conv-transpose.js';
import { Concatenate, concatenate } from './merging/concatenate.js';
import { Dense, dense } from './core/dense.js';
import { Dot, dot } from './merging/dot.js';
import { Dropout, dropout } from './regularization/dropout.js';
import { Embedding, embedding } from './core/embedding.js';
import { Flatten, flatten } from './reshaping/flatten.js';
import { GaussianDropout, GaussianNoise, gaussianDropout, gaussianNoise } from './regularization/gaussian.js';
import { InputLayer, input } from './core/input.js';
import { Lambda, lambda } from './core/lambda.js';
import { Layer } from './layer.js';
import { Bidirectional, bidirectional } from './recurrent/bidirectional.js';
import { GRU, gru, LSTM, lstm, SimpleRNN, simpleRNN } from './recurrent/recurrent.js';
import {
  AveragePooling1D,
  AveragePooling2D,
  averagePooling1d,
  averagePooling2d,
  MaxPooling1D,
  MaxPooling2D,
  maxPooling1d,
  maxPooling2d,
} from './pooling/pooling.js';
import {
  GlobalAveragePooling1D,
  GlobalAveragePooling2D,
  GlobalMaxPooling1D,
  GlobalMaxPooling2D,
  globalAveragePooling1d,
  globalAveragePooling2d,
  globalMaxPooling1d,
  globalMaxPooling2d,
} from './pooling/pooling-global.js';
import { Masking, masking } from './core/masking.js';
import * as merge from './merging/merge.js';
import { MultiHeadAttention, multiHeadAttention } from './attention/multi-head-attention.js';
import { normalizationEntries } from './normalization-entries.js';
import { Permute, permute } from './reshaping/permute.js';
import {
  PositionEmbedding,
  positionEmbedding,
  SinePositionEncoding,
  sinePositionEncoding,
} from './attention/position.js';
import { RepeatVector, repeatVector } from './reshaping/repeat-vector.js';
import { Reshape, reshape } from './reshaping/reshape.js';
import {
  Cropping2D,
  cropping2d,
  UpSampling2D,
  upSampling2d,
  ZeroPadding2D,
  zeroPadding2d,
} from './reshaping/resizing.js';
import { TimeDistributed, timeDistributed } from './recurrent/time-distributed.js';

export { Activation, type ActivationOptions, activation } from './activation/activation.js';
export type { Activation as ActivationLike, ActivationFunction, ActivationName } from './activations.js';
export {
  AdditiveAttention,
  type AdditiveAttentionOptions,
  Attention,
  type AttentionLayerOptions,
  additiveAttention,
  attention,
} from './attention/attention.js';
export { Conv1D, type Conv1DOptions, Conv2D, type Conv2DOptions, conv1d, conv2d } from './convolution/conv.js';
export type { ConvLayerOptions, KernelOptions, Sizes } from './convolution/conv-base.js';
export {
  DepthwiseConv2D,
  type DepthwiseConv2DOptions,
  depthwiseConv2d,
  SeparableConv2D,
  type SeparableConv2DOptions,
  separableConv2d,
} from './convolution/conv-depthwise.js';
export { Conv2DTranspose, type Conv2DTransposeOptions, conv2dTranspose } from './convolution/conv-transpose.js';
export { Concatenate, type ConcatenateOptions, concatenate } from './merging/concatenate.js';
export { Dense, type DenseOptions, dense } from './core/dense.js';
export { Dot, type DotOptions, dot } from './merging/dot.js';
export { Dropout, type DropoutOptions, dropout } from './regularization/dropout.js';
export { Embedding, type EmbeddingOptions, embedding } from './core/embedding.js';
export { Flatten, type FlattenOptions, flatten } from './reshaping/flatten.js';
export {
  GaussianDropout,
  type GaussianDropoutOptions,
  GaussianNoise,
  type GaussianNoiseOptions,
  gaussianDropout,
  gaussianNoise,
} from './regularization/gaussian.js';
export { InputLayer, type InputOptions, input } from './core/input.js';
export { Lambda, type LambdaFunction, type LambdaOptions, lambda } from './core/lambda.js';
export { type CallContext, type Computed, Layer, type LayerOptions } from './layer.js';
export type { Mask } from './mask.js';
export { Masking, type MaskingOptions, masking } from './core/masking.js';
export { Bidirectional, type BidirectionalOptions, bidirectional } from './recurrent/bidirectional.js';
export {
  GRU,
  type GRUOptions,
  gru,
  LSTM,
  type LSTMOptions,
  lstm,
  SimpleRNN,
  type SimpleRNNOptions,
  simpleRNN,
} from './recurrent/recurrent.js';
export {
  AveragePooling1D,
  AveragePooling2D,
  averagePooling1d,
  averagePooling2d,
  MaxPooling1D,
  MaxPooling2D,
  maxPooling1d,
  maxPooling2d,
  type PoolingOptions,
} from './pooling/pooling.js';
export {
  GlobalAveragePooling1D,
  GlobalAveragePooling2D,
  GlobalMaxPooling1D,
  GlobalMaxPooling2D,
  type GlobalPoolingOptions,
  globalAveragePooling1d,
  globalAveragePooling2d,
  globalMaxPooling1d,
  globalMaxPooling2d,
} from './pooling/pooling-global.js';
export {
  Add,
  Average,
  add,
  average,
  Maximum,
  type MergeOptions,
  Minimum,
  Multiply,
  maximum,
  minimum,
  multiply,
  Subtract,
  subtract,
} from './merging/merge.js';
export {
  MultiHeadAttention,
  type MultiHeadAttentionOptions,
  multiHeadAttention,
} from './attention/multi-head-attention.js';
export * from './normalizations.js';
export type { AttentionBaseOptions } from './attention/attention-base.js';
export type { RandomOptions } from './random-layer.js';
export type { OneOrMore } from './output.js';
export { Permute, type PermuteOptions, permute } from './reshaping/permute.js';
export {
  PositionEmbedding,
  type PositionEmbeddingOptions,
  positionEmbedding,
  SinePositionEncoding,
  type SinePositionEncodingOptions,
  sinePositionEncoding,
} from './attention/position.js';
export type { RecurrentContext } from './recurrent/recurrent-states.js';
export { TimeDistributed, type TimeDistributedOptions, timeDistributed } from './recurrent/time-distributed.js';
export { RepeatVector, type RepeatVectorOptions, repeatVector } from './reshaping/repeat-vector.js';
export { Reshape, type ReshapeOptions, reshape } from './reshaping/reshape.js';
export {
  Cropping2D,
  type Cropping2DOptions,
  cropping2d,
  type Margins,
  UpSampling2D,
  type UpSampling2DOptions,
  upSampling2d,
  ZeroPadding2D,
  type ZeroPadding2DOptions,
  zeroPadding2d,
} from './reshaping/resizing.js';

const recurrent = {
  activation: 'activation',
  kernelInitializer: 'initializer',
  recurrentInitializer: 'initializer',
  biasInitializer: 'initializer',
  kernelRegularizer: 'regularizer',
  recurrentRegularizer: 'regularizer',
  biasRegularizer: 'regularizer',
  kernelConstraint: 'constraint',
  recurrentConstraint: 'constraint',
  biasConstraint: 'constraint',
} as const;
const gated = { ...recurrent, recurrentActivation: 'activation' } as const;

registerBase(Layer, { activityRegularizer: 'regularizer' });

/** Options of weights of those names that hold objects. */
function weights(...names: string[]): Record<string, Kind> {
  const entries = names.flatMap((name): [string, Kind][] => [
    [`${name}Initializer`, 'initializer'],
    [`${name}Regularizer`, 'regularizer'],
    [`${name}Constraint`, 'constraint'],
  ]);
  return Object.fromEntries(entries);
}

register('layer', (value) => value instanceof Layer, {
  Activation: { type: Activation, make: activation, nested: { activation: 'activation' } },
  Add: { type: merge.Add, make: merge.add },
  AdditiveAttention: { type: AdditiveAttention, make: additiveAttention },
  Attention: { type: Attention, make: attention },
  Average: { type: merge.Average, make: merge.average },
  Concatenate: { type: Concatenate, make: concatenate },
  Dense: {
    type: Dense,
    make: dense,
    nested: {
      activation: 'activation',
      kernelInitializer: 'initializer',
      biasInitializer: 'initializer',
      kernelRegularizer: 'regularizer',
      biasRegularizer: 'regularizer',
      kernelConstraint: 'constraint',
      biasConstraint: 'constraint',
    },
  },
  Dot: { type: Dot, make: dot },
  Dropout: { type: Dropout, make: dropout },
  Embedding: {
    type: Embedding,
    make: embedding,
    nested: {
      embeddingsInitializer: 'initializer',
      embeddingsRegularizer: 'regularizer',
      embeddingsConstraint: 'constraint',
    },
  },
  Flatten: { type: Flatten, make: flatten },
  GaussianDropout: { type: GaussianDropout, make: gaussianDropout },
  GaussianNoise: { type: GaussianNoise, make: gaussianNoise },
  InputLayer: { type: InputLayer, make: input },
  Bidirectional: { type: Bidirectional, make: bidirectional, nested: { layer: 'layer', backwardLayer: 'layer' } },
  SimpleRNN: { type: SimpleRNN, make: simpleRNN, nested: recurrent },
  LSTM: { type: LSTM, make: lstm, nested: gated },
  GRU: { type: GRU, make: gru, nested: gated },
  AveragePooling1D: { type: AveragePooling1D, make: averagePooling1d },
  AveragePooling2D: { type: AveragePooling2D, make: averagePooling2d },
  Conv1D: { type: Conv1D, make: conv1d, nested: { activation: 'activation', ...weights('kernel', 'bias') } },
  Conv2D: { type: Conv2D, make: conv2d, nested: { activation: 'activation', ...weights('kernel', 'bias') } },
  Conv2DTranspose: {
    type: Conv2DTranspose,
    make: conv2dTranspose,
    nested: { activation: 'activation', ...weights('kernel', 'bias') },
  },
  Cropping2D: { type: Cropping2D, make: cropping2d },
  DepthwiseConv2D: {
    type: DepthwiseConv2D,
    make: depthwiseConv2d,
    nested: { activation: 'activation', ...weights('depthwise', 'bias') },
  },
  GlobalAveragePooling1D: { type: GlobalAveragePooling1D, make: globalAveragePooling1d },
  GlobalAveragePooling2D: { type: GlobalAveragePooling2D, make: globalAveragePooling2d },
  GlobalMaxPooling1D: { type: GlobalMaxPooling1D, make: globalMaxPooling1d },
  GlobalMaxPooling2D: { type: GlobalMaxPooling2D, make: globalMaxPooling2d },
  MaxPooling1D: { type: MaxPooling1D, make: maxPooling1d },
  MaxPooling2D: { type: MaxPooling2D, make: maxPooling2d },
  SeparableConv2D: {
    type: SeparableConv2D,
    make: separableConv2d,
    nested: { activation: 'activation', ...weights('depthwise', 'pointwise', 'bias') },
  },
  UpSampling2D: { type: UpSampling2D, make: upSampling2d },
  ZeroPadding2D: { type: ZeroPadding2D, make: zeroPadding2d },
  Lambda: { type: Lambda, make: lambda, nested: { function: 'activation' } },
  Masking: { type: Masking, make: masking },
  Maximum: { type: merge.Maximum, make: merge.maximum },
  Minimum: { type: merge.Minimum, make: merge.minimum },
  MultiHeadAttention: { type: MultiHeadAttention, make: multiHeadAttention, nested: weights('kernel', 'bias') },
  Multiply: { type: merge.Multiply, make: merge.multiply },
  Permute: { type: Permute, make: permute },
  PositionEmbedding: { type: PositionEmbedding, make: positionEmbedding, nested: { initializer: 'initializer' } },
  RepeatVector: { type: RepeatVector, make: repeatVector },
  Reshape: { type: Reshape, make: reshape },
  SinePositionEncoding: { type: SinePositionEncoding, make: sinePositionEncoding },
  Subtract: { type: merge.Subtract, make: merge.subtract },
  TimeDistributed: { type: TimeDistributed, make: timeDistributed, nested: { layer: 'layer' } },
  ...normalizationEntries,
});

register(
  'activation',
  (value) => typeof value === 'function',
  Object.fromEntries(Object.entries(table).map(([name, activation]) => [name, { make: () => activation }])),
);
export type { Weight } from './weight.js';
