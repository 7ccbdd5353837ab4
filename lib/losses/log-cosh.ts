import * as ops from '../graph/ops.js';
import { Options } from '../options.js';
import { type Loss, type LossOptions, makeLoss } from './loss.js';

/** Below it the series is closer than the logarithm, whose terms cancel. */
const kSmall = 0.1;

/**
 * log cosh(p − t), mean over the last axes: (t [n, …], p [n, …]) → [n]. About e²/2 for small errors e and |e| − log 2 for large ones; it
 * does not overflow, and keeps its relative precision for small errors, which Keras's formula loses.
 *
 * @example
 * losses.logCosh()([[0]], [[1000]]); // 999.30685
 */
export function logCosh(options?: LossOptions): Loss {
  const read = new Options<LossOptions>('losses.logCosh', options, ['name']);
  return makeLoss('logCosh', read, 'output', (yTrue, yPred) => {
    const size = ops.abs(ops.sub(yPred, yTrue));
    const far = ops.sub(ops.add(size, ops.softplus(ops.mul(size, -2))), Math.LN2);
    // e²/2 − e⁴/12 + e⁶/45; the next term is below 2e-8 of the sum.
    const square = ops.square(ops.minimum(size, kSmall));
    const series = ops.add(ops.mul(ops.add(ops.mul(square, 1 / 45), -1 / 12), square), 0.5);
    return ops.where(ops.less(size, kSmall), ops.mul(square, series), far);
  });
}
