// The regularizers by name.
import { DownhillError, show, unknownName } from '../errors.js';
import { lookUp } from '../names.js';
import { l1 } from './l1.js';
import { l1l2 } from './l1l2.js';
import { l2 } from './l2.js';
import { orthogonal } from './orthogonal.js';
import type { Regularizer } from './regularizer.js';

const factories: Readonly<Record<string, () => Regularizer>> = { l1, l2, l1l2, orthogonal, l1L2: l1l2 };

export type RegularizerName = 'l1' | 'l2' | 'l1l2' | 'orthogonal';

/** By name, as an object made by `regularizers.…`, or as a function of ops (weights, or a layer's output → scalar). */
export type RegularizerLike = RegularizerName | (string & {}) | Regularizer;

export function resolveRegularizer(what: string, value: RegularizerLike | null | undefined): Regularizer | null {
  if (value === undefined || value === null) return null;
  if (typeof value === 'string') {
    const factory = lookUp(factories, value);
    if (!factory) throw unknownName('regularizer', value, ['l1', 'l2', 'l1l2', 'orthogonal']);
    return factory();
  }
  if (typeof value !== 'function')
    throw new DownhillError(
      'INVALID_ARGUMENT',
      `${what} must be a name, a regularizer or a function of ops; received ${show(value)}.`,
    );
  return value;
}
