import * as ops from '../graph/ops.js';
import { Options } from '../options.js';
import { type Loss, makeLoss } from './loss.js';

/**
 * (t − p)², mean over the last axes: (t [n, …], p [n, …]) → [n].
 *
 * @example
 * losses.meanSquaredError()([[1, 2]], [[0, 0]]); // 2.5
 */
export function meanSquaredError(options?: Record<never, never>): Loss {
  new Options('losses.meanSquaredError', options, []);
  return makeLoss('meanSquaredError', 'output', (yTrue, yPred) => ops.square(ops.sub(yPred, yTrue)));
}
