import { Options } from '../options.js';
import { type Penalty, penalty } from './regularizer.js';

export interface L1Options {
  /** Factor, at least 0; 0.01 by default. */
  l1?: number;
}

/**
 * l1 · Σ|w|, which drives weights to 0.
 *
 * @example
 * layers.dense({ units: 10, kernelRegularizer: regularizers.l1({ l1: 1e-4 }) });
 */
export function l1(options?: L1Options): Penalty {
  const read = new Options<L1Options>('regularizers.l1', options, ['l1']);
  return penalty('L1', { l1: read.number('l1', 0.01, { min: 0 }) });
}
