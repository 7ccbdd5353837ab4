// The regularizers. The public `regularizers` are these factories.
export { type L1L2Options, l1l2 } from './l1l2.js';
export { type L1Options, l1 } from './l1.js';
export { type L2Options, l2 } from './l2.js';
export type { Regularizer } from './regularizer.js';
export type { RegularizerLike, RegularizerName } from './resolve.js';
