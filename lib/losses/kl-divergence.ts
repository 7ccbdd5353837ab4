import * as ops from '../graph/ops.js';
import { Options } from '../options.js';
import { kEpsilon } from '../epsilon.js';
import { type Loss, type LossOptions, makeLoss } from './loss.js';
import { toFloat } from './weights.js';

/**
 * Kullback-Leibler divergence Σ_c t_c log(t_c / p_c) over the last axis: (t [n, …, c], p [n, …, c]) → [n]. Targets and predictions are
 * kept in [1e-7, 1] as in Keras; they are not normalised.
 *
 * @example
 * losses.klDivergence()([[0.5, 0.5]], [[0.25, 0.75]]); // 0.1438
 * @see https://keras.io/api/losses/probabilistic_losses/
 */
export function klDivergence(options?: LossOptions): Loss {
  const read = new Options<LossOptions>('losses.klDivergence', options, ['name']);
  return makeLoss(
    'klDivergence',
    read,
    'output',
    (yTrue, yPred) => {
      const [t, p] = [ops.clip(toFloat(yTrue), kEpsilon, 1), ops.clip(yPred, kEpsilon, 1)];
      return ops.sum(ops.mul(t, ops.log(ops.div(t, p))), -1);
    },
    { className: 'KLDivergence' },
  );
}
