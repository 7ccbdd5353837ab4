// The constraints. The public `constraints` are these factories.
import { register } from '../config/registry.js';
import { maxNorm } from './max-norm.js';
import { minMaxNorm } from './min-max-norm.js';
import { nonNeg } from './non-neg.js';
import { unitNorm } from './unit-norm.js';

export type { Constraint, Projection } from './constraint.js';
export { type MaxNormOptions, maxNorm } from './max-norm.js';
export { type MinMaxNormOptions, minMaxNorm } from './min-max-norm.js';
export { nonNeg } from './non-neg.js';
export type { ConstraintLike, ConstraintName } from './resolve.js';
export { type UnitNormOptions, unitNorm } from './unit-norm.js';

register('constraint', (value) => typeof value === 'function', {
  MaxNorm: { make: maxNorm },
  MinMaxNorm: { make: minMaxNorm },
  NonNeg: { make: nonNeg },
  UnitNorm: { make: unitNorm },
});
