// Fraction of correct predictions: of one-hot targets, of integer labels, of binary targets, or whichever the target is.
import { alignLabels, alignOutputs } from '../losses/align.js';
import { type Loss, type LossOptions, makeLoss } from '../losses/loss.js';
import * as ops from '../graph/ops.js';
import type { Result } from '../graph/signatures.js';
import { Options } from '../options.js';

export interface BinaryAccuracyOptions extends LossOptions {
  /** Predictions above it count as 1; 0.5 by default. */
  threshold?: number;
}

const categorical = (yTrue: Result, yPred: Result) => ops.equal(ops.argmax(yTrue, -1), ops.argmax(yPred, -1));
const sparse = (labels: Result, yPred: Result) => ops.equal(labels, ops.argmax(yPred, -1));
const binary = (yTrue: Result, yPred: Result, threshold: number) => ops.equal(yTrue, ops.greater(yPred, threshold));

/** 1 for each correct prediction, by the target's shape as in Keras. */
export function correct(where: string, yTrue: Result, yPred: Result): Result {
  const [t, p] = [yTrue.shape, yPred.shape];
  if (p.length < 2 || p.at(-1) === 1) return binary(...alignOutputs(where, yTrue, yPred), 0.5);
  if (t.length < p.length || t.at(-1) === 1) return sparse(...alignLabels(where, yTrue, yPred));
  return categorical(...alignOutputs(where, yTrue, yPred));
}

/**
 * Fraction of correct predictions. Outputs [n, 1] are compared with binary targets at 0.5; otherwise targets without the class axis
 * are integer labels, and others one-hot.
 *
 * @example
 * net.compile({ optimizer: 'sgd', loss: 'categoricalCrossentropy', metrics: ['accuracy'] });
 */
export function accuracy(options?: LossOptions): Loss {
  const read = new Options<LossOptions>('metrics.accuracy', options, ['name']);
  return makeLoss('accuracy', read, 'either', (yTrue, yPred) => correct('accuracy', yTrue, yPred));
}

/** Fraction of rows whose largest prediction is where the one-hot target is: (t [n, …, c], p [n, …, c]). */
export function categoricalAccuracy(options?: LossOptions): Loss {
  const read = new Options<LossOptions>('metrics.categoricalAccuracy', options, ['name']);
  return makeLoss('categoricalAccuracy', read, 'output', categorical);
}

/** Fraction of rows whose largest prediction is at the label: (labels [n, …], p [n, …, c]). */
export function sparseCategoricalAccuracy(options?: LossOptions): Loss {
  const read = new Options<LossOptions>('metrics.sparseCategoricalAccuracy', options, ['name']);
  return makeLoss('sparseCategoricalAccuracy', read, 'labels', sparse);
}

/** Fraction of predictions on the side of the threshold where the target, 0 or 1, says: (t [n, …], p [n, …]). */
export function binaryAccuracy(options?: BinaryAccuracyOptions): Loss {
  const read = new Options<BinaryAccuracyOptions>('metrics.binaryAccuracy', options, ['threshold', 'name']);
  const threshold = read.number('threshold', 0.5);
  return makeLoss('binaryAccuracy', read, 'output', (yTrue, yPred) => binary(yTrue, yPred, threshold), {
    config: { threshold },
  });
}
