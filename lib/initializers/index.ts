// The initializers, by name.
import { register } from '../config/registry.js';
import { DownhillError, show, unknownName } from '../errors.js';
import { lookUp } from '../names.js';
import { Constant, constant, Ones, ones, Zeros, zeros } from './constant.js';
import { GlorotUniform, glorotUniform } from './glorot-uniform.js';
import { Initializer } from './initializer.js';
import { RandomNormal, randomNormal } from './random-normal.js';
import { RandomUniform, randomUniform } from './random-uniform.js';

export { type ConstantOptions, constant, ones, zeros } from './constant.js';
export { glorotUniform } from './glorot-uniform.js';
export { Initializer, type SeedOptions } from './initializer.js';
export { type RandomNormalOptions, randomNormal } from './random-normal.js';
export { type RandomUniformOptions, randomUniform } from './random-uniform.js';

const factories: Readonly<Record<string, () => Initializer>> = {
  zeros,
  ones,
  constant,
  randomNormal,
  randomUniform,
  glorotUniform,
  // Keras's short names.
  normal: randomNormal,
  uniform: randomUniform,
};

register('initializer', (value) => value instanceof Initializer, {
  Constant: { type: Constant, make: constant },
  GlorotUniform: { type: GlorotUniform, make: glorotUniform },
  Ones: { type: Ones, make: ones },
  RandomNormal: { type: RandomNormal, make: randomNormal },
  RandomUniform: { type: RandomUniform, make: randomUniform },
  Zeros: { type: Zeros, make: zeros },
});

/** An initializer or the name of one with its defaults. */
export type InitializerLike = Initializer | string;

/** The initializer itself, or the one of that name; throws UNKNOWN_NAME. `what` names the option in messages. */
export function resolveInitializer(what: string, value: unknown): Initializer {
  if (value instanceof Initializer) return value;
  if (typeof value !== 'string')
    throw new DownhillError(
      'INVALID_ARGUMENT',
      `${what} must be an initializer or the name of one; received ${show(value)}.`,
    );
  const factory = lookUp(factories, value) ?? lookUp(factories, value.charAt(0).toLowerCase() + value.slice(1));
  if (!factory) throw unknownName(`initializer (${what})`, value, Object.keys(factories));
  return factory();
}
