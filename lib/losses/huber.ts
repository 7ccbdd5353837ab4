import * as ops from '../graph/ops.js';
import { Options } from '../options.js';
import { type Loss, type LossOptions, makeLoss } from './loss.js';

export interface HuberOptions extends LossOptions {
  /** δ, where the parabola goes over into straight lines; above 0, 1 by default. */
  delta?: number;
}

/**
 * e²/2 where |e| ≤ δ, else δ|e| − δ²/2, for e = p − t; mean over the last axes: (t [n, …], p [n, …]) → [n].
 *
 * @example
 * losses.huber({ delta: 2 })([[0, 0]], [[1, 4]]); // (0.5 + 6) / 2
 * @see Huber 1964, Robust Estimation of a Location Parameter
 */
export function huber(options?: HuberOptions): Loss {
  const read = new Options<HuberOptions>('losses.huber', options, ['delta', 'name']);
  const delta = read.number('delta', 1, { above: 0 });
  return makeLoss(
    'huber',
    read,
    'output',
    (yTrue, yPred) => {
      const error = ops.sub(yPred, yTrue);
      const size = ops.abs(error);
      const line = ops.sub(ops.mul(size, delta), delta ** 2 / 2);
      return ops.where(ops.lessEqual(size, delta), ops.mul(ops.square(error), 0.5), line);
    },
    { config: { delta } },
  );
}
