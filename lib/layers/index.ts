// The layers, and how configs name them.
import { register, registerBase } from '../config/registry.js';
import { Activation, activation } from './activation.js';
import { table } from './activations.js';
import { Dense, dense } from './dense.js';
import { Dropout, dropout } from './dropout.js';
import { Flatten, flatten } from './flatten.js';
import { InputLayer, input } from './input.js';
import { Layer } from './layer.js';
import { Bidirectional, bidirectional } from './bidirectional.js';
import { GRU, gru, LSTM, lstm, SimpleRNN, simpleRNN } from './recurrent.js';
import { Reshape, reshape } from './reshape.js';

export { Activation, type ActivationOptions, activation } from './activation.js';
export type { Activation as ActivationLike, ActivationFunction, ActivationName } from './activations.js';
export { Dense, type DenseOptions, dense } from './dense.js';
export { Dropout, type DropoutOptions, dropout } from './dropout.js';
export { Flatten, type FlattenOptions, flatten } from './flatten.js';
export { InputLayer, type InputOptions, input } from './input.js';
export { type CallContext, type Computed, Layer, type LayerOptions } from './layer.js';
export { Bidirectional, type BidirectionalOptions, bidirectional } from './bidirectional.js';
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
} from './recurrent.js';
export { Reshape, type ReshapeOptions, reshape } from './reshape.js';

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

register('layer', (value) => value instanceof Layer, {
  Activation: { type: Activation, make: activation, nested: { activation: 'activation' } },
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
  Dropout: { type: Dropout, make: dropout },
  Flatten: { type: Flatten, make: flatten },
  InputLayer: { type: InputLayer, make: input },
  Bidirectional: { type: Bidirectional, make: bidirectional, nested: { layer: 'layer', backwardLayer: 'layer' } },
  SimpleRNN: { type: SimpleRNN, make: simpleRNN, nested: recurrent },
  LSTM: { type: LSTM, make: lstm, nested: gated },
  GRU: { type: GRU, make: gru, nested: gated },
  Reshape: { type: Reshape, make: reshape },
});

register(
  'activation',
  (value) => typeof value === 'function',
  Object.fromEntries(Object.entries(table).map(([name, activation]) => [name, { make: () => activation }])),
);
