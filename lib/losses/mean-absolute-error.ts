import * as ops from '../graph/ops.js';
import { Options } from '../options.js';
import { type Loss, type LossOptions, makeLoss } from './loss.js';

/**
 * |t − p|, mean over the last axes: (t [n, …], p [n, …]) → [n].
 *
 * @example
 * losses.meanAbsoluteError()([[1, 2]], [[0, 0]]); // 1.5
 */
export function meanAbsoluteError(options?: LossOptions): Loss {
  const read = new Options<LossOptions>('losses.meanAbsoluteError', options, ['name']);
  return makeLoss('meanAbsoluteError', read, 'output', (yTrue, yPred) => ops.abs(ops.sub(yPred, yTrue)));
}
