// Arguments of a model's constructor and methods.
import type { Precision } from '../binding/native.js';
import { isPlain } from '../config/values.js';
import { DownhillError } from '../errors.js';
import { checkOneOf } from '../options.js';
import type { Ports } from './ports.js';

export function checkPrecision(what: string, value: unknown, device: string): Precision {
  const precision = checkOneOf(what, value, ['float32', 'tf32', 'bfloat16'] as const);
  if (precision === 'tf32' && device === 'cpu')
    throw new DownhillError('UNSUPPORTED', `${what}: "tf32" is not available on the CPU; use "float32" or "bfloat16".`);
  return precision;
}

/** (x, y, options), or (batches, options): options are a plain object, unless it holds targets by the names of outputs. */
export function splitArguments<T>(
  outputs: Ports,
  x: unknown,
  y: unknown,
  options: T | undefined,
): [targets: unknown, options: T | undefined] {
  const byName = isPlain(x) && !(Symbol.iterator in x) && !(Symbol.asyncIterator in x);
  const targets = byName || outputs.areKeysOf(y);
  return isPlain(y) && options === undefined && !targets ? [undefined, y as T] : [y, options];
}
