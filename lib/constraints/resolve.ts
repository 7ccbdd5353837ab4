// The constraints by name.
import { DownhillError, show, unknownName } from '../errors.js';
import { lookUp } from '../names.js';
import type { Constraint } from './constraint.js';
import { maxNorm } from './max-norm.js';
import { minMaxNorm } from './min-max-norm.js';
import { nonNeg } from './non-neg.js';
import { unitNorm } from './unit-norm.js';

const factories: Readonly<Record<string, () => Constraint>> = { maxNorm, minMaxNorm, nonNeg, unitNorm };

export type ConstraintName = 'maxNorm' | 'minMaxNorm' | 'nonNeg' | 'unitNorm';

/** By name, as an object made by `constraints.…`, or as a function of ops (weights → weights). */
export type ConstraintLike = ConstraintName | (string & {}) | Constraint;

export function resolveConstraint(what: string, value: ConstraintLike | null | undefined): Constraint | null {
  if (value === undefined || value === null) return null;
  if (typeof value === 'string') {
    const factory = lookUp(factories, value);
    if (!factory) throw unknownName('constraint', value, Object.keys(factories));
    return factory();
  }
  if (typeof value !== 'function')
    throw new DownhillError(
      'INVALID_ARGUMENT',
      `${what} must be a name, a constraint or a function of the weights; received ${show(value)}.`,
    );
  return value;
}
