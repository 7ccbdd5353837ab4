import { Options } from '../options.js';
import { type Penalty, penalty } from './regularizer.js';

export interface L1L2Options {
  /** Factor of Σ|w|, at least 0; 0 by default. */
  l1?: number;
  /** Factor of Σw², at least 0; 0 by default. */
  l2?: number;
}

/**
 * l1 · Σ|w| + l2 · Σw².
 *
 * @example
 * layers.dense({ units: 10, kernelRegularizer: regularizers.l1l2({ l1: 1e-5, l2: 1e-4 }) });
 */
export function l1l2(options?: L1L2Options): Penalty {
  const read = new Options<L1L2Options>('regularizers.l1l2', options, ['l1', 'l2']);
  return penalty('L1L2', { l1: read.number('l1', 0, { min: 0 }), l2: read.number('l2', 0, { min: 0 }) });
}
