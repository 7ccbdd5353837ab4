import { kEpsilon } from '../epsilon.js';
import * as ops from './ops.js';
import type { Result } from './signatures.js';

/** x / ‖x‖ along an axis; vectors shorter than 1e-7 are divided by that, so that zeros stay zeros. */
export function direction(x: Result, axis = -1): Result {
  const squares = ops.sum(ops.square(x), axis, { keepDims: true });
  return ops.mul(x, ops.rsqrt(ops.maximum(squares, kEpsilon ** 2)));
}
