// The hinge losses: of a margin for targets −1 and 1, its square, and the one for one-hot targets.
import * as ops from '../graph/ops.js';
import type { Result } from '../graph/signatures.js';
import { Options } from '../options.js';
import { type Loss, type LossOptions, makeLoss } from './loss.js';
import { toFloat } from './weights.js';

/** Targets −1 and 1; 0 and 1 become these where the batch has no other ones, as in Keras. */
function signed(yTrue: Result): Result {
  const t = toFloat(yTrue);
  const binary = ops.min(ops.maximum(ops.equal(t, 0), ops.equal(t, 1)));
  return ops.where(binary, ops.sub(ops.mul(t, 2), 1), t);
}

const margin = (yTrue: Result, yPred: Result) => ops.maximum(ops.sub(1, ops.mul(signed(yTrue), yPred)), 0);

/**
 * max(1 − t·p, 0), mean over the last axes, for targets −1 and 1 (or 0 and 1, which are taken for −1 and 1): (t [n, …], p [n, …]) → [n].
 *
 * @example
 * losses.hinge()([[1, -1]], [[0.25, 3]]); // (0.75 + 4) / 2
 * @see https://keras.io/api/losses/hinge_losses/
 */
export function hinge(options?: LossOptions): Loss {
  const read = new Options<LossOptions>('losses.hinge', options, ['name']);
  return makeLoss('hinge', read, 'output', margin);
}

/**
 * max(1 − t·p, 0)², mean over the last axes; targets as for hinge: (t [n, …], p [n, …]) → [n].
 *
 * @example
 * losses.squaredHinge()([[1]], [[0.5]]); // 0.25
 * @see https://keras.io/api/losses/hinge_losses/
 */
export function squaredHinge(options?: LossOptions): Loss {
  const read = new Options<LossOptions>('losses.squaredHinge', options, ['name']);
  return makeLoss('squaredHinge', read, 'output', (yTrue, yPred) => ops.square(margin(yTrue, yPred)));
}

/**
 * max(max_c (1 − t_c) p_c − Σ_c t_c p_c + 1, 0) for one-hot targets: (t [n, …, c], p [n, …, c]) → [n].
 *
 * @example
 * losses.categoricalHinge()([[0, 1]], [[0.5, 0.75]]); // 0.75
 * @see https://keras.io/api/losses/hinge_losses/
 */
export function categoricalHinge(options?: LossOptions): Loss {
  const read = new Options<LossOptions>('losses.categoricalHinge', options, ['name']);
  return makeLoss('categoricalHinge', read, 'output', (yTrue, yPred) => {
    const right = ops.sum(ops.mul(yTrue, yPred), -1);
    const wrong = ops.max(ops.mul(ops.sub(1, yTrue), yPred), -1);
    return ops.maximum(ops.add(ops.sub(wrong, right), 1), 0);
  });
}
