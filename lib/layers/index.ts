// The layers.
export { Activation, type ActivationOptions, activation } from './activation.js';
export type { Activation as ActivationLike, ActivationFunction, ActivationName } from './activations.js';
export { Dense, type DenseOptions, dense } from './dense.js';
export { Dropout, type DropoutOptions, dropout } from './dropout.js';
export { Flatten, type FlattenOptions, flatten } from './flatten.js';
export { InputLayer, type InputOptions, input } from './input.js';
export { type CallContext, type Computed, Layer, type LayerOptions } from './layer.js';
export { Reshape, type ReshapeOptions, reshape } from './reshape.js';
