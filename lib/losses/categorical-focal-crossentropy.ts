import * as ops from '../graph/ops.js';
import { Options } from '../options.js';
import { readAxis } from './axis.js';
import type { CategoricalCrossentropyOptions } from './categorical-crossentropy.js';
import { kEpsilon, kTiny } from '../epsilon.js';
import { type Loss, makeLoss } from './loss.js';
import { smoothed } from './smoothing.js';

export interface CategoricalFocalCrossentropyOptions extends CategoricalCrossentropyOptions {
  /** α, a factor of all classes; 0.25 by default. */
  alpha?: number;
  /** γ ≥ 0, how much less those count that are right already; 2 by default. */
  gamma?: number;
}

/**
 * −Σ_c α (1 − p_c)^γ t_c log p_c for one-hot targets: (t [n, …, c], p [n, …, c]) → [n].
 *
 * Probabilities are normalised and kept in [1e-7, 1 − 1e-7] as in Keras; from logits it is exact.
 *
 * @example
 * net.compile({ optimizer: 'adam', loss: losses.categoricalFocalCrossentropy({ gamma: 1.5 }) });
 * @see Lin et al. 2017, Focal Loss for Dense Object Detection (arXiv:1708.02002)
 */
export function categoricalFocalCrossentropy(options?: CategoricalFocalCrossentropyOptions): Loss {
  const read = new Options<CategoricalFocalCrossentropyOptions>('losses.categoricalFocalCrossentropy', options, [
    'alpha',
    'gamma',
    'fromLogits',
    'labelSmoothing',
    'axis',
    'name',
  ]);
  const alpha = read.number('alpha', 0.25, { min: 0 });
  const gamma = read.number('gamma', 2, { min: 0 });
  const fromLogits = read.flag('fromLogits', false);
  const smoothing = read.number('labelSmoothing', 0, { min: 0, max: 1 });
  const axis = readAxis(read);
  return makeLoss(
    'categoricalFocalCrossentropy',
    read,
    'output',
    (yTrue, yPred) => {
      const t = smoothed(yTrue, smoothing, yPred.shape.at(-1) ?? 1);
      const p = fromLogits
        ? ops.softmax(yPred)
        : ops.clip(ops.div(yPred, ops.sum(yPred, -1, { keepDims: true })), kEpsilon, 1 - kEpsilon);
      const log = fromLogits ? ops.logSoftmax(yPred) : ops.log(p);
      const focus = ops.pow(ops.maximum(ops.sub(1, p), kTiny), gamma);
      return ops.mul(ops.sum(ops.mul(focus, ops.mul(t, log)), -1), -alpha);
    },
    { axis, config: { alpha, gamma, fromLogits, labelSmoothing: smoothing, axis } },
  );
}
