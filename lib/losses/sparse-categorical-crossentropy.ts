import * as ops from '../graph/ops.js';
import type { Result } from '../graph/signatures.js';
import { checkCount, Options } from '../options.js';
import { readAxis } from './axis.js';
import { type Loss, type LossOptions, makeLoss } from './loss.js';

export interface SparseCategoricalCrossentropyOptions extends LossOptions {
  /** Predictions are logits instead of probabilities; false by default. */
  fromLogits?: boolean;
  /** A label whose elements do not count: their loss is 0, and the mean is over the others. Null, none, by default. */
  ignoreClass?: number | null;
  /** The axis of the classes; −1, the last, by default. */
  axis?: number;
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
    'ignoreClass',
    'axis',
    'name',
  ]);
  const fromLogits = read.flag('fromLogits', false);
  const axis = readAxis(read);
  const ignored = read.raw.ignoreClass == null ? null : checkCount(read.what('ignoreClass'), read.raw.ignoreClass, {});
  const entropy = (labels: Result, yPred: Result) =>
    fromLogits ? ops.sparseSoftmaxCrossEntropy(yPred, labels) : ops.sparseCategoricalCrossEntropy(yPred, labels);
  return makeLoss(
    'sparseCategoricalCrossentropy',
    read,
    'labels',
    (labels, yPred) => {
      if (ignored === null) return entropy(labels, yPred);
      const counts = ops.notEqual(labels, ignored);
      return ops.where(counts, entropy(ops.where(counts, labels, 0), yPred), 0);
    },
    {
      axis,
      config: { fromLogits, ignoreClass: ignored, axis },
      ...(ignored !== null && { mask: (labels) => ops.notEqual(labels, ignored) }),
    },
  );
}
