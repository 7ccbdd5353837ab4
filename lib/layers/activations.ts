// The activations that a name or a function may choose, with Keras's parameters.
import { type Serialized, serialize } from '../config/registry.js';
import { DownhillError, show, unknownName } from '../errors.js';
import * as ops from '../graph/ops.js';
import { lookUp } from '../names.js';
import type { Computed } from './layer.js';

export type ActivationFunction = (x: Computed) => Computed;

const identity: ActivationFunction = (x) => x;

/** Keras's name → its function. */
export const table: Readonly<Record<string, ActivationFunction>> = {
  linear: identity,
  relu: (x) => ops.relu(x),
  leakyRelu: (x) => ops.leakyRelu(x),
  elu: (x) => ops.elu(x),
  selu: (x) => ops.selu(x),
  gelu: (x) => ops.gelu(x),
  silu: (x) => ops.silu(x),
  swish: (x) => ops.silu(x),
  sigmoid: (x) => ops.sigmoid(x),
  tanh: (x) => ops.tanh(x),
  softplus: (x) => ops.softplus(x),
  softsign: (x) => ops.softsign(x),
  softmax: (x) => ops.softmax(x),
  logSoftmax: (x) => ops.logSoftmax(x),
  exponential: (x) => ops.exp(x),
};

export type ActivationName =
  | 'linear'
  | 'relu'
  | 'leakyRelu'
  | 'elu'
  | 'selu'
  | 'gelu'
  | 'silu'
  | 'swish'
  | 'sigmoid'
  | 'tanh'
  | 'softplus'
  | 'softsign'
  | 'softmax'
  | 'logSoftmax'
  | 'exponential';

/** By name (camelCase or snake_case) or as a function of ops. */
export type Activation = ActivationName | (string & {}) | ActivationFunction;

/** The function that an `activation` option chooses; null and undefined choose none. */
export function resolveActivation(what: string, activation: Activation | null | undefined): ActivationFunction {
  if (activation === undefined || activation === null) return identity;
  if (typeof activation === 'function') return activation;
  if (typeof activation !== 'string')
    throw new DownhillError('INVALID_ARGUMENT', `${what} must be a name or a function; received ${show(activation)}.`);
  const found = lookUp(table, activation);
  if (!found) throw unknownName('activation', activation, Object.keys(table));
  return found;
}

/** The activation in a config: its name, or the description of a function of the user's own. */
export function activationConfig(activation: ActivationFunction): string | Serialized {
  const found = Object.entries(table).find(([, known]) => known === activation);
  return found ? found[0] : serialize(activation);
}
