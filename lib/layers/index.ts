// The layers, and how configs name them.
import { register, registerBase } from '../config/registry.js';
import { Activation, activation } from './activation.js';
import { table } from './activations.js';
import { Dense, dense } from './dense.js';
import { Dropout, dropout } from './dropout.js';
import { Embedding, embedding } from './embedding.js';
import { Flatten, flatten } from './flatten.js';
import { InputLayer, input } from './input.js';
import { Layer } from './layer.js';
import { Reshape, reshape } from './reshape.js';

export { Activation, type ActivationOptions, activation } from './activation.js';
export type { Activation as ActivationLike, ActivationFunction, ActivationName } from './activations.js';
export { Dense, type DenseOptions, dense } from './dense.js';
export { Dropout, type DropoutOptions, dropout } from './dropout.js';
export { Embedding, type EmbeddingOptions, embedding } from './embedding.js';
export { Flatten, type FlattenOptions, flatten } from './flatten.js';
export { InputLayer, type InputOptions, input } from './input.js';
export { type CallContext, type Computed, Layer, type LayerOptions } from './layer.js';
export { Reshape, type ReshapeOptions, reshape } from './reshape.js';

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
  InputLayer: { type: InputLayer, make: input },
  Reshape: { type: Reshape, make: reshape },
});

register(
  'activation',
  (value) => typeof value === 'function',
  Object.fromEntries(Object.entries(table).map(([name, activation]) => [name, { make: () => activation }])),
);
