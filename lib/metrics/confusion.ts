// Positive and negative targets, counted by how many thresholds the prediction exceeds: from these counts follow true and false positives and
// negatives at every threshold.
import { DownhillError } from '../errors.js';
import * as ops from '../graph/ops.js';
import type { Result } from '../graph/signatures.js';
import { expand, toFloat } from '../losses/weights.js';
import type { Options } from '../options.js';
import { tensor } from '../tensor/make.js';
import { sizeOf } from '../tensor/shape.js';

/** How many of the thresholds, sorted, each prediction exceeds: int32 in [0, thresholds]. */
export function exceeded(yPred: Result, thresholds: readonly number[]): Result {
  const p = toFloat(yPred);
  if (thresholds.length === 1) return ops.greater(p, Math.fround(thresholds[0]));
  const column = ops.reshape(p, [...p.shape, 1]);
  return ops.sum(ops.greater(column, tensor(Float32Array.from(thresholds))), -1);
}

/**
 * The same for −ε, 1/(n − 1), 2/(n − 1), …, 1 + ε, without comparing with each: max(⌈p (n − 1)⌉, 1).
 */
export function exceededOfEven(yPred: Result, thresholds: number): Result {
  const scaled = ops.mul(ops.clip(toFloat(yPred), 0, 1), thresholds - 1);
  const whole = ops.cast(scaled, 'int32');
  return ops.maximum(ops.add(whole, ops.greater(scaled, whole)), 1);
}

/**
 * Weighted numbers of positive and of negative targets that exceed 0, 1, …, `thresholds` of the thresholds: (thresholds + 1, labels) each.
 *
 * @param index int32 like the targets
 * @param labels last axis that is counted apart, or 1
 */
export function countTargets(
  yTrue: Result,
  index: Result,
  weight: Result | null,
  thresholds: number,
  labels = 1,
): [positive: Result, negative: Result] {
  const buckets = thresholds + 1;
  const flat = [sizeOf(yTrue.shape)];
  const truth = toFloat(ops.notEqual(yTrue, 0));
  const positive = weight ? ops.mul(truth, weight) : truth;
  const negative = ops.sub(weight ?? 1, positive);
  const cell =
    labels === 1 ? index : ops.add(ops.mul(index, labels), tensor(Int32Array.from({ length: labels }, (_, i) => i)));
  const at = ops.reshape(cell, flat);
  const count = (values: Result) => ops.scatterAdd(at, ops.reshape(values, flat), buckets * labels);
  return [count(positive), count(negative)];
}

/** Weights in the shape of the targets; null: 1 each. */
export function weightsLike(where: string, weight: Result | null, yTrue: Result): Result | null {
  return weight && ops.broadcastTo(expand(where, weight, yTrue.shape), yTrue.shape);
}

/** Σ over the buckets above each threshold, from counts (thresholds + 1, labels) of one label. */
export function above(counts: ArrayLike<number>, labels = 1, label = 0): Float64Array {
  const thresholds = counts.length / labels - 1;
  const sums = new Float64Array(thresholds);
  let sum = 0;
  for (let t = thresholds - 1; t >= 0; t--) {
    sum += counts[(t + 1) * labels + label];
    sums[t] = sum;
  }
  return sums;
}

/** a / b; 0 where b is 0, as in Keras. */
export function ratio(a: number, b: number): number {
  return b === 0 ? 0 : a / b;
}

/** 1 for the k largest of the last axis, the first ones of equals, else 0. */
export function topMask(yPred: Result, k: number): Result {
  const p = toFloat(yPred);
  const classes = p.shape.at(-1)!;
  let left = p;
  let mask: Result | null = null;
  for (let i = 0; i < Math.min(k, classes); i++) {
    const hot = ops.oneHot(ops.argmax(left, -1), classes);
    mask = mask ? ops.maximum(mask, hot) : hot;
    left = ops.where(hot, Number.NEGATIVE_INFINITY, left);
  }
  return mask!;
}

/** x[…, index], with the axis kept. */
export function classOf(where: string, x: Result, index: number): Result {
  const classes = x.shape.at(-1)!;
  if (x.shape.length < 2 || index >= classes)
    throw new DownhillError(
      'OUT_OF_RANGE',
      `${where}: classId ${index} needs outputs [n, …, classes] with more than ${index} classes; received [${x.shape.join(', ')}].`,
    );
  const outer = x.shape.slice(0, -1);
  return ops.slice(x, [...outer.map(() => 0), index], [...outer, 1]);
}

/** The option `thresholds`: numbers in [0, 1], one or a list; null where it is absent. */
export function readThresholds(read: Options<{ thresholds?: number | readonly number[] | null }>): number[] | null {
  const given: unknown = read.raw.thresholds;
  if (given === undefined || given === null) return null;
  const list: unknown[] = Array.isArray(given) ? given : [given];
  const fits = list.length > 0 && list.every((item) => typeof item === 'number' && item >= 0 && item <= 1);
  if (fits) return [...list] as number[];
  const what = `${read.what('thresholds')} must be a number in [0, 1], or a list of them; received`;
  const wrong = list.find((item) => !(typeof item === 'number' && item >= 0 && item <= 1));
  throw new DownhillError(
    typeof wrong === 'number' ? 'OUT_OF_RANGE' : 'INVALID_ARGUMENT',
    `${what} ${list.length === 0 ? 'an empty list' : String(wrong)}.`,
  );
}
