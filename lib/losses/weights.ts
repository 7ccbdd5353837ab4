// Weights of examples, or of elements of their outputs, and the means over all but the first axis.
import { DownhillError } from '../errors.js';
import * as ops from '../graph/ops.js';
import type { Result } from '../graph/signatures.js';
import { fits, maskOf, spread } from '../layers/mask.js';
import { type Shape, sameShape, shapeText, sizeOf } from '../tensor/shape.js';

export function toFloat(values: Result): Result {
  return values.dtype === 'float32' ? values : ops.cast(values, 'float32');
}

/** Mean over all axes but the first, float32: [n, …] → [n]. */
export function perRow(values: Result): Result {
  const floats = toFloat(values);
  const rank = floats.shape.length;
  return rank <= 1
    ? floats
    : ops.mean(
        floats,
        Array.from({ length: rank - 1 }, (_, i) => i + 1),
      );
}

/** The part of a shape that weights may have: [n] or the first axes of the values, a last axis of length 1 aside. */
function fitting(weight: Shape, values: Shape): Shape | null {
  if (sameShape(weight, values.slice(0, weight.length))) return weight;
  const short = weight.at(-1) === 1 ? weight.slice(0, -1) : null;
  return short && short.length > 0 && sameShape(short, values.slice(0, short.length)) ? short : null;
}

/** The mask of predictions as weights of values, float32; null where they have none, or one that does not speak of such values. */
export function maskFor(yPred: unknown, values: Shape): Result | null {
  const mask = maskOf(yPred);
  return mask && fits(mask, values) ? spread(mask, values.length) : null;
}

/** Weights of rows or elements, and 0 for the steps of predictions that are masked. */
export function maskedWeight(yPred: unknown, weight: Result | null): Result | null {
  const mask = maskOf(yPred);
  if (!mask) return weight;
  if (!weight) return toFloat(mask);
  const rank = Math.max(mask.shape.length, weight.shape.length);
  return ops.mul(spread(mask, rank), spread(weight, rank));
}

/** Elements in all by those that count; 0 where none does. */
export function countedFactor(counts: Result): Result {
  const counted = ops.sum(counts);
  return ops.where(ops.greater(counted, 0), ops.div(sizeOf(counts.shape), ops.maximum(counted, 1)), 0);
}

/** Weights with the rank of the values, to be broadcast: [n, …] → [n, …, 1, …]. */
export function expand(where: string, weight: Result, values: Shape): Result {
  const found = fitting(weight.shape, values);
  if (!found)
    throw new DownhillError(
      'SHAPE_MISMATCH',
      `${where}: sampleWeight must be [n] or have the first axes of the values ${shapeText(values)} that it weights; received ` +
        `${shapeText(weight.shape)}.`,
    );
  const shape = [...found, ...values.slice(found.length).map(() => 1)];
  return sameShape(shape, weight.shape) ? weight : ops.reshape(weight, shape);
}
