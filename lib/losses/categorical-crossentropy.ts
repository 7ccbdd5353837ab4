import * as ops from '../graph/ops.js';
import { Options } from '../options.js';
import { readAxis } from './axis.js';
import { type Loss, type LossOptions, makeLoss } from './loss.js';
import { smoothed } from './smoothing.js';

export interface CategoricalCrossentropyOptions extends LossOptions {
  /** Predictions are logits instead of probabilities; false by default. */
  fromLogits?: boolean;
  /** s in t·(1 − s) + s/classes; 0 by default. */
  labelSmoothing?: number;
  /** The axis of the classes; −1, the last, by default. */
  axis?: number;
}

/**
 * −Σ_c t_c log p_c for one-hot targets (or any distribution) over classes: (t [n, …, c], p [n, …, c]) → [n].
 *
 * Probabilities are normalised and kept in [1e-7, 1 − 1e-7] as in Keras; directly behind a softmax it is computed from the logits.
 *
 * @example
 * net.compile({ loss: losses.categoricalCrossentropy({ fromLogits: true }) });
 * @see https://keras.io/api/losses/probabilistic_losses/
 */
export function categoricalCrossentropy(options?: CategoricalCrossentropyOptions): Loss {
  const read = new Options<CategoricalCrossentropyOptions>('losses.categoricalCrossentropy', options, [
    'fromLogits',
    'labelSmoothing',
    'axis',
    'name',
  ]);
  const fromLogits = read.flag('fromLogits', false);
  const axis = readAxis(read);
  const smoothing = read.number('labelSmoothing', 0, { min: 0, max: 1 });
  return makeLoss(
    'categoricalCrossentropy',
    read,
    'output',
    (yTrue, yPred) => {
      const targets = smoothed(yTrue, smoothing, yPred.shape.at(-1) ?? 1);
      return fromLogits ? ops.softmaxCrossEntropy(yPred, targets) : ops.categoricalCrossEntropy(yPred, targets);
    },
    { axis, config: { fromLogits, labelSmoothing: smoothing, axis } },
  );
}
