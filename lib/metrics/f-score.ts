// F-scores: harmonic means of precision and recall, by class.
import { DownhillError } from '../errors.js';
import * as ops from '../graph/ops.js';
import type { Result } from '../graph/signatures.js';
import { alignOutputs } from '../losses/align.js';
import { kEpsilon } from '../epsilon.js';
import type { LossOptions } from '../losses/loss.js';
import { expand, toFloat } from '../losses/weights.js';
import { checkOneOf, Options } from '../options.js';
import { shapeText } from '../tensor/shape.js';
import { type Metric, makeMetric } from './metric.js';

export type FScoreAverage = 'micro' | 'macro' | 'weighted';

export interface F1ScoreOptions extends LossOptions {
  /**
   * 'micro': of all classes together; 'macro': the mean of the classes; 'weighted': that weighted by the number of targets; null, the default:
   * one result for each class (logs f1Score_0, f1Score_1, …).
   */
  average?: FScoreAverage | null;
  /** Predictions above it count as positive, in (0, 1]; null, the default: the largest of each row. */
  threshold?: number | null;
}

export interface FBetaScoreOptions extends F1ScoreOptions {
  /** β > 0, how much more recall counts than precision; 1 by default. */
  beta?: number;
}

/** Smaller predictions are never the largest of a row, as in Keras. */
const kSmallest = 1e-9;

function decided(yPred: Result, threshold: number | null): Result {
  const p = toFloat(yPred);
  if (threshold !== null) return toFloat(ops.greater(p, threshold));
  const largest = ops.greaterEqual(p, ops.max(p, -1, { keepDims: true }));
  return toFloat(ops.mul(largest, ops.greater(ops.abs(p), kSmallest)));
}

function make(kind: string, read: Options<FBetaScoreOptions>, beta: number, config: { beta?: number }): Metric {
  const average =
    read.raw.average === undefined || read.raw.average === null
      ? null
      : checkOneOf<FScoreAverage>(read.what('average'), read.raw.average, ['micro', 'macro', 'weighted']);
  const threshold = read.optionalNumber('threshold', { above: 0, max: 1 }) ?? null;
  const contribute = (yTrue: Result, yPred: Result, weight: Result | null) => {
    const [targets, p] = alignOutputs(kind, yTrue, yPred);
    if (p.shape.length !== 2)
      throw new DownhillError(
        'SHAPE_MISMATCH',
        `metrics.${kind} takes outputs [n, classes]; received ${shapeText(p.shape)}.`,
      );
    const [t, d] = [toFloat(targets), decided(p, threshold)];
    const count = (values: Result) => ops.sum(weight ? ops.mul(values, expand(kind, weight, values.shape)) : values, 0);
    return [count(ops.mul(d, t)), count(d), count(t)];
  };
  const result = (sums: Float64Array) => {
    const classes = sums.length / 3;
    const [right, chosen, all] = [0, 1, 2].map((part) => sums.subarray(part * classes, (part + 1) * classes));
    const total = (values: Float64Array) => values.reduce((sum, value) => sum + value, 0);
    const score = (truePositives: number, predicted: number, positives: number) => {
      const [precision, recall] = [truePositives / (predicted + kEpsilon), truePositives / (positives + kEpsilon)];
      return ((1 + beta ** 2) * precision * recall) / (beta ** 2 * precision + recall + kEpsilon);
    };
    if (average === 'micro') return score(total(right), total(chosen), total(all));
    const scores = Float64Array.from(right, (value, c) => score(value, chosen[c], all[c]));
    if (average === 'macro') return total(scores) / classes;
    if (average === 'weighted') return total(scores.map((value, c) => value * all[c])) / (total(all) + kEpsilon);
    return [...scores];
  };
  const sizes = (outputShape: readonly number[]) => {
    const classes = outputShape.at(-1) ?? 1;
    return [classes, classes, classes];
  };
  return makeMetric(kind, read, { sizes, contribute, result }, { average, threshold, ...config });
}

/**
 * 2 · precision · recall / (precision + recall) of each class, or averaged: (t [n, c] of 0 and 1, p [n, c]).
 *
 * @example
 * net.compile({ optimizer: 'adam', loss: 'categoricalCrossentropy', metrics: [metrics.f1Score({ average: 'macro' })] });
 * @see https://keras.io/api/metrics/classification_metrics/
 */
export function f1Score(options?: F1ScoreOptions): Metric {
  const read = new Options<FBetaScoreOptions>('metrics.f1Score', options, ['average', 'threshold', 'name']);
  return make('f1Score', read, 1, {});
}

/**
 * (1 + β²) · precision · recall / (β² · precision + recall) of each class, or averaged: (t [n, c] of 0 and 1, p [n, c]).
 *
 * @example
 * metrics.fBetaScore({ beta: 2, average: 'micro' });
 * @see https://keras.io/api/metrics/classification_metrics/
 */
export function fBetaScore(options?: FBetaScoreOptions): Metric {
  const read = new Options<FBetaScoreOptions>('metrics.fBetaScore', options, ['average', 'beta', 'threshold', 'name']);
  const beta = read.number('beta', 1, { above: 0 });
  return make('fBetaScore', read, beta, { beta });
}
