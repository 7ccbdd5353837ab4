import { Options } from '../options.js';
import { type Penalty, penalty } from './regularizer.js';

export interface L2Options {
  /** Factor λ, at least 0; 0.01 by default. */
  l2?: number;
}

/**
 * l2 · Σw², weight decay in the cost. There is no ½: its gradient is 2·l2·w, as in Keras.
 *
 * @example
 * layers.dense({ units: 10, kernelRegularizer: regularizers.l2({ l2: 1e-4 }) });
 */
export function l2(options?: L2Options): Penalty {
  const read = new Options<L2Options>('regularizers.l2', options, ['l2']);
  return penalty('L2', { l2: read.number('l2', 0.01, { min: 0 }) });
}
