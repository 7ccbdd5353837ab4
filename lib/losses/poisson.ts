import * as ops from '../graph/ops.js';
import { Options } from '../options.js';
import { kEpsilon } from '../epsilon.js';
import { type Loss, type LossOptions, makeLoss } from './loss.js';

/**
 * p − t log(p + 1e-7), mean over the last axes: (t [n, …], p [n, …]) → [n]: for counts t and predicted rates p ≥ 0, the negative log
 * likelihood but for a term of t alone.
 *
 * @example
 * net.compile({ optimizer: 'adam', loss: 'poisson' });
 * @see https://keras.io/api/losses/probabilistic_losses/
 */
export function poisson(options?: LossOptions): Loss {
  const read = new Options<LossOptions>('losses.poisson', options, ['name']);
  return makeLoss('poisson', read, 'output', (yTrue, yPred) =>
    ops.sub(yPred, ops.mul(yTrue, ops.log(ops.add(yPred, kEpsilon)))),
  );
}
