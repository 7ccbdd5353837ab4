import * as ops from '../graph/ops.js';
import { Options } from '../options.js';
import { type Loss, makeLoss } from './loss.js';

/**
 * |t − p|, mean over the last axes: (t [n, …], p [n, …]) → [n].
 *
 * @example
 * losses.meanAbsoluteError()([[1, 2]], [[0, 0]]); // 1.5
 */
export function meanAbsoluteError(options?: Record<never, never>): Loss {
  new Options('losses.meanAbsoluteError', options, []);
  return makeLoss('meanAbsoluteError', 'output', (yTrue, yPred) => ops.abs(ops.sub(yPred, yTrue)));
}
