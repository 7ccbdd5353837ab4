import * as ops from '../graph/ops.js';
import type { Result } from '../graph/signatures.js';

/** t·(1 − s) + s/classes: what `labelSmoothing` s makes of targets t. */
export function smoothed(t: Result, s: number, classes: number): Result {
  return s === 0 ? t : ops.add(ops.mul(t, 1 - s), s / classes);
}
