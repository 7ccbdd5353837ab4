import { direction } from '../graph/direction.js';
import * as ops from '../graph/ops.js';
import { Options } from '../options.js';
import { readAxis } from './axis.js';
import { type Loss, type LossOptions, makeLoss } from './loss.js';
import { toFloat } from './weights.js';

export interface CosineSimilarityOptions extends LossOptions {
  /** The axis of the vectors that are compared; −1, the last, by default. */
  axis?: number;
}

/**
 * −Σ (t/‖t‖)(p/‖p‖) along an axis: −1 for equal directions, 0 for orthogonal ones, 1 for opposite ones: (t [n, …], p [n, …]) → [n]. The
 * metric of the same name has the opposite sign, as in Keras. A vector of zeros has similarity 0 and gradient 0.
 *
 * @throws OUT_OF_RANGE where the predictions have no such axis
 * @example
 * losses.cosineSimilarity()([[0, 1]], [[1, 1]]); // −0.7071
 * @see https://keras.io/api/losses/regression_losses/
 */
export function cosineSimilarity(options?: CosineSimilarityOptions): Loss {
  const read = new Options<CosineSimilarityOptions>('losses.cosineSimilarity', options, ['axis', 'name']);
  const axis = readAxis(read);
  return makeLoss(
    'cosineSimilarity',
    read,
    'output',
    (yTrue, yPred) => ops.neg(ops.sum(ops.mul(direction(toFloat(yTrue)), direction(toFloat(yPred))), -1)),
    {
      axis,
      config: { axis },
    },
  );
}
