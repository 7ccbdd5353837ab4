// The layers, and how configs name them.
import { register, registerBase } from '../config/registry.js';
import { Activation, activation } from './activation.js';
import { table } from './activations.js';
import { Concatenate, concatenate } from './concatenate.js';
import { Dense, dense } from './dense.js';
import { Dot, dot } from './dot.js';
import { Dropout, dropout } from './dropout.js';
import { Flatten, flatten } from './flatten.js';
import { InputLayer, input } from './input.js';
import { Lambda, lambda } from './lambda.js';
import { Layer } from './layer.js';
import * as merge from './merge.js';
import { Permute, permute } from './permute.js';
import { RepeatVector, repeatVector } from './repeat-vector.js';
import { Reshape, reshape } from './reshape.js';

export { Activation, type ActivationOptions, activation } from './activation.js';
export type { Activation as ActivationLike, ActivationFunction, ActivationName } from './activations.js';
export { Concatenate, type ConcatenateOptions, concatenate } from './concatenate.js';
export { Dense, type DenseOptions, dense } from './dense.js';
export { Dot, type DotOptions, dot } from './dot.js';
export { Dropout, type DropoutOptions, dropout } from './dropout.js';
export { Flatten, type FlattenOptions, flatten } from './flatten.js';
export { InputLayer, type InputOptions, input } from './input.js';
export { Lambda, type LambdaFunction, type LambdaOptions, lambda } from './lambda.js';
export { type CallContext, type Computed, Layer, type LayerOptions } from './layer.js';
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
} from './merge.js';
export type { OneOrMore } from './output.js';
export { Permute, type PermuteOptions, permute } from './permute.js';
export { RepeatVector, type RepeatVectorOptions, repeatVector } from './repeat-vector.js';
export { Reshape, type ReshapeOptions, reshape } from './reshape.js';

registerBase(Layer, { activityRegularizer: 'regularizer' });

register('layer', (value) => value instanceof Layer, {
  Activation: { type: Activation, make: activation, nested: { activation: 'activation' } },
  Add: { type: merge.Add, make: merge.add },
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
  Flatten: { type: Flatten, make: flatten },
  InputLayer: { type: InputLayer, make: input },
  Lambda: { type: Lambda, make: lambda, nested: { function: 'activation' } },
  Maximum: { type: merge.Maximum, make: merge.maximum },
  Minimum: { type: merge.Minimum, make: merge.minimum },
  Multiply: { type: merge.Multiply, make: merge.multiply },
  Permute: { type: Permute, make: permute },
  RepeatVector: { type: RepeatVector, make: repeatVector },
  Reshape: { type: Reshape, make: reshape },
  Subtract: { type: merge.Subtract, make: merge.subtract },
});

register(
  'activation',
  (value) => typeof value === 'function',
  Object.fromEntries(Object.entries(table).map(([name, activation]) => [name, { make: () => activation }])),
);
