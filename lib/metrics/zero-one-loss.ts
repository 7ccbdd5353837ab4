import * as ops from '../graph/ops.js';
import { type Loss, makeLoss } from '../losses/loss.js';
import { Options } from '../options.js';
import { correct } from './accuracy.js';

/**
 * Fraction of wrong predictions, 1 − accuracy: the loss that classification is about, which has no useful gradient.
 *
 * @example
 * net.compile({ optimizer: 'sgd', loss: 'categoricalCrossentropy', metrics: ['zeroOneLoss'] });
 */
export function zeroOneLoss(options?: Record<never, never>): Loss {
  new Options('metrics.zeroOneLoss', options, []);
  return makeLoss('zeroOneLoss', 'either', (yTrue, yPred) => ops.sub(1, correct('zeroOneLoss', yTrue, yPred)));
}
