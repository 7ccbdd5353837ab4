import * as ops from '../graph/ops.js';
import type { Result } from '../graph/signatures.js';
import { Options } from '../options.js';
import { kEpsilon } from '../epsilon.js';
import { type Loss, type LossOptions, makeLoss } from './loss.js';

const logarithm = (x: Result) => ops.log(ops.add(ops.maximum(x, kEpsilon), 1));

/**
 * (log(1 + t) − log(1 + p))², mean over the last axes; values below 1e-7 are taken for it: (t [n, …], p [n, …]) → [n].
 *
 * @example
 * losses.meanSquaredLogarithmicError()([[0]], [[Math.E - 1]]); // 1
 * @see https://keras.io/api/losses/regression_losses/
 */
export function meanSquaredLogarithmicError(options?: LossOptions): Loss {
  const read = new Options<LossOptions>('losses.meanSquaredLogarithmicError', options, ['name']);
  return makeLoss('meanSquaredLogarithmicError', read, 'output', (yTrue, yPred) =>
    ops.square(ops.sub(logarithm(yPred), logarithm(yTrue))),
  );
}
