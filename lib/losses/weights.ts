// Weights of examples, or of elements of their outputs, and the means over all but the first axis.
import { DownhillError } from '../errors.js';
import * as ops from '../graph/ops.js';
import type { Result } from '../graph/signatures.js';
import { type Shape, sameShape, shapeText } from '../tensor/shape.js';

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
