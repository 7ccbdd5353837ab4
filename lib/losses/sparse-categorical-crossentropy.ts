import * as ops from '../graph/ops.js';
import { Options } from '../options.js';
import { type Loss, makeLoss } from './loss.js';

export interface SparseCategoricalCrossentropyOptions {
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
  const read = new Options('losses.sparseCategoricalCrossentropy', options, ['fromLogits']);
  const fromLogits = read.flag('fromLogits', false);
  return makeLoss('sparseCategoricalCrossentropy', 'labels', (labels, yPred) =>
    fromLogits ? ops.sparseSoftmaxCrossEntropy(yPred, labels) : ops.sparseCategoricalCrossEntropy(yPred, labels),
  );
}
