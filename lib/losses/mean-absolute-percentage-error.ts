import * as ops from '../graph/ops.js';
import { Options } from '../options.js';
import { kEpsilon } from '../epsilon.js';
import { type Loss, type LossOptions, makeLoss } from './loss.js';

/**
 * 100 |t − p| / max(|t|, 1e-7), mean over the last axes: (t [n, …], p [n, …]) → [n], in percent.
 *
 * @example
 * losses.meanAbsolutePercentageError()([[2, 4]], [[1, 5]]); // 37.5
 * @see https://keras.io/api/losses/regression_losses/
 */
export function meanAbsolutePercentageError(options?: LossOptions): Loss {
  const read = new Options<LossOptions>('losses.meanAbsolutePercentageError', options, ['name']);
  return makeLoss('meanAbsolutePercentageError', read, 'output', (yTrue, yPred) =>
    ops.mul(ops.abs(ops.div(ops.sub(yTrue, yPred), ops.maximum(ops.abs(yTrue), kEpsilon))), 100),
  );
}
