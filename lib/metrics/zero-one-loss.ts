import * as ops from '../graph/ops.js';
import { type Loss, type LossOptions, makeLoss } from '../losses/loss.js';
import { Options } from '../options.js';
import { correct } from './accuracy.js';

/**
 * Fraction of wrong predictions, 1 − accuracy: the loss that classification is about, which has no useful gradient.
 *
 * @example
 * net.compile({ optimizer: 'sgd', loss: 'categoricalCrossentropy', metrics: ['zeroOneLoss'] });
 */
export function zeroOneLoss(options?: LossOptions): Loss {
  const read = new Options<LossOptions>('metrics.zeroOneLoss', options, ['name']);
  return makeLoss('zeroOneLoss', read, 'either', (yTrue, yPred) => ops.sub(1, correct('zeroOneLoss', yTrue, yPred)));
}
