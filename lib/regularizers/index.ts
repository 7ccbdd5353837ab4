// The regularizers. The public `regularizers` are these factories.
import { register } from '../config/registry.js';
import { l1 } from './l1.js';
import { l1l2 } from './l1l2.js';
import { l2 } from './l2.js';
import { orthogonal } from './orthogonal.js';

export { type L1L2Options, l1l2 } from './l1l2.js';
export { type L1Options, l1 } from './l1.js';
export { type L2Options, l2 } from './l2.js';
export { type OrthogonalOptions, orthogonal } from './orthogonal.js';
export type { Penalty, Regularizer } from './regularizer.js';
export type { RegularizerLike, RegularizerName } from './resolve.js';

register('regularizer', (value) => typeof value === 'function', {
  L1: { make: l1 },
  L1L2: { make: l1l2 },
  L2: { make: l2 },
  OrthogonalRegularizer: { make: orthogonal },
});
