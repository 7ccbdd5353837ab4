// Mean and variance over some axes, and the distance from the mean that both share.
import { kEpsilon } from '../../epsilon.js';
import * as ops from '../../graph/ops.js';
import type { Computed } from '../layer.js';

export interface Moments {
  /** Axes kept with length 1. */
  mean: Computed;
  /** Divided by n; axes kept. */
  variance: Computed;
  /** x − mean */
  centered: Computed;
}

/** `counts`: 1 for the elements that count and 0 for others, to be broadcast to x; null: all count. */
export function momentsOf(x: Computed, axes: readonly number[], counts: Computed | null = null): Moments {
  if (counts) return countedMoments(x, axes, ops.broadcastTo(counts, x.shape));
  const mean = ops.mean(x, axes, { keepDims: true });
  const centered = ops.sub(x, mean);
  return { mean, centered, variance: ops.mean(ops.square(centered), axes, { keepDims: true }) };
}

/** As Keras: sums divided by how many count plus a small number. */
function countedMoments(x: Computed, axes: readonly number[], counts: Computed): Moments {
  const number = ops.add(ops.sum(counts, axes, { keepDims: true }), kEpsilon);
  const mean = ops.div(ops.sum(ops.where(counts, x, 0), axes, { keepDims: true }), number);
  const centered = ops.sub(x, mean);
  const squares = ops.sum(ops.where(counts, ops.square(centered), 0), axes, { keepDims: true });
  return { mean, centered, variance: ops.div(squares, number) };
}
