import * as ops from '../graph/ops.js';
import type { Result } from '../graph/signatures.js';
import { Options } from '../options.js';
import { readAxis } from './axis.js';
import { type Loss, type LossOptions, makeLoss } from './loss.js';
import { smoothed } from './smoothing.js';

/** −(t log p + (1 − t) log(1 − p)), elementwise. */
export function binaryEntropy(t: Result, p: Result, fromLogits: boolean): Result {
  return fromLogits ? ops.sub(ops.softplus(p), ops.mul(t, p)) : ops.binaryCrossEntropy(p, t);
}

export interface BinaryCrossentropyOptions extends LossOptions {
  /** Predictions are logits instead of probabilities; false by default. */
  fromLogits?: boolean;
  /** s in t·(1 − s) + s/2; 0 by default. */
  labelSmoothing?: number;
  /** The axis whose mean is taken first; −1 by default. It matters where sampleWeight has more than one axis. */
  axis?: number;
}

/**
 * −(t log p + (1 − t) log(1 − p)), mean over the last axes: (t [n, …], p [n, …]) → [n].
 *
 * Probabilities are kept in [1e-7, 1 − 1e-7] as in Keras; directly behind a sigmoid it is computed from the logits z as
 * softplus(z) − t·z.
 *
 * @example
 * net.compile({ loss: 'binaryCrossentropy' });
 * @see https://keras.io/api/losses/probabilistic_losses/
 */
export function binaryCrossentropy(options?: BinaryCrossentropyOptions): Loss {
  const read = new Options<BinaryCrossentropyOptions>('losses.binaryCrossentropy', options, [
    'fromLogits',
    'labelSmoothing',
    'axis',
    'name',
  ]);
  const fromLogits = read.flag('fromLogits', false);
  const axis = readAxis(read);
  const smoothing = read.number('labelSmoothing', 0, { min: 0, max: 1 });
  return makeLoss(
    'binaryCrossentropy',
    read,
    'output',
    (yTrue, yPred) => binaryEntropy(smoothed(yTrue, smoothing, 2), yPred, fromLogits),
    { axis, config: { fromLogits, labelSmoothing: smoothing, axis } },
  );
}
