import * as ops from '../graph/ops.js';
import { Options } from '../options.js';
import { type BinaryCrossentropyOptions, binaryEntropy } from './binary-crossentropy.js';
import { readAxis } from './axis.js';
import { kTiny } from '../epsilon.js';
import { type Loss, makeLoss } from './loss.js';
import { smoothed } from './smoothing.js';

export interface BinaryFocalCrossentropyOptions extends BinaryCrossentropyOptions {
  /** Whether targets 1 are weighted with α and targets 0 with 1 − α; false by default. */
  applyClassBalancing?: boolean;
  /** α; 0.25 by default. */
  alpha?: number;
  /** γ ≥ 0, how much less those count that are right already; 2 by default. */
  gamma?: number;
}

/**
 * (1 − p_t)^γ times the binary cross-entropy, where p_t is the probability of the target, mean over the last axes:
 * (t [n, …], p [n, …]) → [n].
 *
 * From logits it is exact, where Keras keeps probabilities in [1e-7, 1 − 1e-7].
 *
 * @example
 * losses.binaryFocalCrossentropy({ gamma: 2 })([[1]], [[0.8]]); // 0.04 · 0.2231
 * @see Lin et al. 2017, Focal Loss for Dense Object Detection (arXiv:1708.02002), equation 5
 */
export function binaryFocalCrossentropy(options?: BinaryFocalCrossentropyOptions): Loss {
  const read = new Options<BinaryFocalCrossentropyOptions>('losses.binaryFocalCrossentropy', options, [
    'applyClassBalancing',
    'alpha',
    'gamma',
    'fromLogits',
    'labelSmoothing',
    'axis',
    'name',
  ]);
  const balanced = read.flag('applyClassBalancing', false);
  const alpha = read.number('alpha', 0.25, { min: 0, max: 1 });
  const gamma = read.number('gamma', 2, { min: 0 });
  const fromLogits = read.flag('fromLogits', false);
  const smoothing = read.number('labelSmoothing', 0, { min: 0, max: 1 });
  const axis = readAxis(read);
  return makeLoss(
    'binaryFocalCrossentropy',
    read,
    'output',
    (yTrue, yPred) => {
      const t = smoothed(yTrue, smoothing, 2);
      const against = ops.sub(1, t);
      const p = fromLogits ? ops.sigmoid(yPred) : yPred;
      const q = fromLogits ? ops.sigmoid(ops.neg(yPred)) : ops.sub(1, yPred);
      const focus = ops.pow(ops.maximum(ops.add(ops.mul(t, q), ops.mul(against, p)), kTiny), gamma);
      const focal = ops.mul(focus, binaryEntropy(t, yPred, fromLogits));
      return balanced ? ops.mul(ops.add(ops.mul(t, alpha), ops.mul(against, 1 - alpha)), focal) : focal;
    },
    { axis, config: { applyClassBalancing: balanced, alpha, gamma, fromLogits, labelSmoothing: smoothing, axis } },
  );
}
