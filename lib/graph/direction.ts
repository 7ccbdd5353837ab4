import { kEpsilon } from '../epsilon.js';
import * as ops from './ops.js';
import type { Result } from './signatures.js';

/** x / ‖x‖ along an axis, or over several; vectors shorter than `least` are divided by that, so that zeros stay zeros. */
export function direction(x: Result, axis: number | readonly number[] = -1, least = kEpsilon): Result {
  const squares = ops.sum(ops.square(x), axis, { keepDims: true });
  return ops.mul(x, ops.rsqrt(ops.maximum(squares, least ** 2)));
}
