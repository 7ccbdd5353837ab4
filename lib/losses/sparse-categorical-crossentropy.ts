import * as ops from '../graph/ops.js';
import { Options } from '../options.js';
import { type Loss, type LossOptions, makeLoss } from './loss.js';

export interface SparseCategoricalCrossentropyOptions extends LossOptions {
  /** Predictions are logits instead of probabilities; false by default. */
  fromLogits?: boolean;
}

/**
 * −log p_label for integer labels: (labels [n, …], p [n, …, c]) → [n].
 *
 * @throws LABEL_OUT_OF_RANGE when run, for labels outside [0, c)
 * @example
 * net.compile({ loss: 'sparseCategoricalCrossentropy' });
 * @see https://keras.io/api/losses/probabilistic_losses/
 */
export function sparseCategoricalCrossentropy(options?: SparseCategoricalCrossentropyOptions): Loss {
  const read = new Options<SparseCategoricalCrossentropyOptions>('losses.sparseCategoricalCrossentropy', options, [
    'fromLogits',
    'name',
  ]);
  const fromLogits = read.flag('fromLogits', false);
  return makeLoss(
    'sparseCategoricalCrossentropy',
    read,
    'labels',
    (labels, yPred) =>
      fromLogits ? ops.sparseSoftmaxCrossEntropy(yPred, labels) : ops.sparseCategoricalCrossEntropy(yPred, labels),
    { fromLogits },
  );
}
