import * as ops from '../graph/ops.js';
import { Options } from '../options.js';
import { type Loss, type LossOptions, makeLoss } from './loss.js';

/**
 * (t − p)², mean over the last axes: (t [n, …], p [n, …]) → [n].
 *
 * @example
 * losses.meanSquaredError()([[1, 2]], [[0, 0]]); // 2.5
 */
export function meanSquaredError(options?: LossOptions): Loss {
  const read = new Options<LossOptions>('losses.meanSquaredError', options, ['name']);
  return makeLoss('meanSquaredError', read, 'output', (yTrue, yPred) => ops.square(ops.sub(yPred, yTrue)));
}
