// Whether the right class is among the k most likely ones.
import * as ops from '../graph/ops.js';
import type { Result } from '../graph/signatures.js';
import { alignLabels, alignOutputs } from '../losses/align.js';
import { type Loss, type LossOptions, makeLoss } from '../losses/loss.js';
import { toFloat } from '../losses/weights.js';
import { Options } from '../options.js';

export interface TopKOptions extends LossOptions {
  /** 5 by default. */
  k?: number;
}

/** 1 where fewer than k classes are above that of the label; not where its prediction is no number. */
function amongTop(labels: Result, yPred: Result, k: number): Result {
  const p = toFloat(yPred);
  const hot = ops.oneHot(labels, p.shape.at(-1)!);
  const right = ops.sum(ops.where(hot, p, 0), -1, { keepDims: true });
  const above = ops.sum(ops.greater(p, right), -1);
  return ops.mul(ops.less(above, k), ops.reshape(ops.equal(right, right), above.shape));
}

/** By the target's shape, as accuracy. */
function either(kind: string, yTrue: Result, yPred: Result, k: number): Result {
  const [t, p] = [yTrue.shape, yPred.shape];
  if (t.length < p.length || (t.at(-1) === 1 && p.at(-1)! > 1)) {
    const [labels, predictions] = alignLabels(kind, yTrue, yPred);
    return amongTop(labels, predictions, k);
  }
  const [targets, predictions] = alignOutputs(kind, yTrue, yPred);
  return amongTop(ops.argmax(targets, -1), predictions, k);
}

/**
 * Fraction of rows whose target is among the k largest predictions, ties included; targets are one-hot or labels:
 * (t [n, …, c] or [n, …], p [n, …, c]).
 *
 * @throws LABEL_OUT_OF_RANGE when run, for labels outside [0, c)
 * @example
 * metrics.topKCategoricalAccuracy({ k: 2 })([[0, 0, 1]], [[0.5, 0.1, 0.4]]); // 1
 * @see https://keras.io/api/metrics/accuracy_metrics/
 */
export function topKCategoricalAccuracy(options?: TopKOptions): Loss {
  const kind = 'topKCategoricalAccuracy';
  const read = new Options<TopKOptions>(`metrics.${kind}`, options, ['k', 'name']);
  const k = read.count('k', 5);
  return makeLoss(kind, read, 'either', (yTrue, yPred) => either(kind, yTrue, yPred, k), { config: { k } });
}

/**
 * Fraction of rows whose label is among the k largest predictions, ties included: (labels [n, …], p [n, …, c]).
 *
 * @throws LABEL_OUT_OF_RANGE when run, for labels outside [0, c)
 * @example
 * metrics.sparseTopKCategoricalAccuracy({ k: 2 })([2], [[0.5, 0.1, 0.4]]); // 1
 * @see https://keras.io/api/metrics/accuracy_metrics/
 */
export function sparseTopKCategoricalAccuracy(options?: TopKOptions): Loss {
  const kind = 'sparseTopKCategoricalAccuracy';
  const read = new Options<TopKOptions>(`metrics.${kind}`, options, ['k', 'name']);
  const k = read.count('k', 5);
  return makeLoss(kind, read, 'labels', (labels, yPred) => amongTop(labels, yPred, k), { config: { k } });
}
