// Precision and recall at one threshold or several.
import * as ops from '../graph/ops.js';
import type { Result } from '../graph/signatures.js';
import { alignOutputs } from '../losses/align.js';
import type { LossOptions } from '../losses/loss.js';
import { Options } from '../options.js';
import { above, classOf, countTargets, exceeded, ratio, readThresholds, topMask, weightsLike } from './confusion.js';
import { type Metric, makeMetric } from './metric.js';

export interface PrecisionOptions extends LossOptions {
  /** Predictions above it count as positive, 0.5 by default; of a list, one result each (logs precision_0, precision_1, …). */
  thresholds?: number | readonly number[] | null;
  /** Only the k largest predictions of a row can be positive; without thresholds, all of them are. Null by default. */
  topK?: number | null;
  /** The class of the last axis that alone is looked at; null, all of them together, by default. */
  classId?: number | null;
}

/** Below every prediction: with topK and no thresholds. */
const kLowest = -1e10;

type Rate = (positives: number, truePositives: number, falsePositives: number) => number;

function make(kind: string, options: PrecisionOptions | undefined, rate: Rate): Metric {
  const where = `metrics.${kind}`;
  const read = new Options<PrecisionOptions>(where, options, ['thresholds', 'topK', 'classId', 'name']);
  const given = readThresholds(read);
  const topK = read.optionalCount('topK') ?? null;
  const classId = read.optionalCount('classId', { min: 0 }) ?? null;
  const thresholds = given ?? [topK === null ? 0.5 : kLowest];
  const sorted = [...thresholds].sort((a, b) => a - b);
  const contribute = (yTrue: Result, yPred: Result, weight: Result | null) => {
    let [t, p] = alignOutputs(kind, yTrue, yPred);
    if (topK !== null) p = ops.where(topMask(p, topK), p, kLowest);
    if (classId !== null) [t, p] = [classOf(where, t, classId), classOf(where, p, classId)];
    return countTargets(t, exceeded(p, sorted), weightsLike(kind, weight, t), sorted.length);
  };
  const result = (sums: Float64Array) => {
    const half = sums.length / 2;
    const [positive, negative] = [sums.subarray(0, half), sums.subarray(half)];
    const [right, wrong] = [above(positive), above(negative)];
    const all = positive.reduce((total, count) => total + count, 0);
    const rates = sorted.map((_, i) => rate(all, right[i], wrong[i]));
    return thresholds.length === 1 ? rates[0] : thresholds.map((threshold) => rates[sorted.indexOf(threshold)]);
  };
  const sizes = () => [sorted.length + 1, sorted.length + 1];
  const shown = Array.isArray(read.raw.thresholds) ? thresholds : (read.raw.thresholds ?? null);
  return makeMetric(kind, read, { sizes, contribute, result }, { thresholds: shown, topK, classId });
}

/**
 * True positives / (true + false positives), over all outputs: (t [n, …] of 0 and 1, p [n, …] probabilities); 0 where nothing is positive.
 *
 * @example
 * metrics.precision()([0, 1, 1, 1], [0.9, 0.2, 0.7, 0.8]); // 2 / 3
 * @see https://keras.io/api/metrics/classification_metrics/
 */
export function precision(options?: PrecisionOptions): Metric {
  return make('precision', options, (_, right, wrong) => ratio(right, right + wrong));
}

/**
 * True positives / (true positives + false negatives), over all outputs: (t [n, …] of 0 and 1, p [n, …] probabilities); 0 where no target is
 * positive.
 *
 * @example
 * metrics.recall()([0, 1, 1, 1], [0.9, 0.2, 0.7, 0.8]); // 2 / 3
 * @see https://keras.io/api/metrics/classification_metrics/
 */
export function recall(options?: PrecisionOptions): Metric {
  return make('recall', options, (positives, right) => ratio(right, positives));
}
