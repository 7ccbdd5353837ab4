// Mean and variance over some axes, and the distance from the mean that both share.
import * as ops from '../graph/ops.js';
import type { Computed } from './layer.js';

export interface Moments {
  /** Axes kept with length 1. */
  mean: Computed;
  /** Divided by n; axes kept. */
  variance: Computed;
  /** x − mean */
  centered: Computed;
}

export function momentsOf(x: Computed, axes: readonly number[]): Moments {
  const mean = ops.mean(x, axes, { keepDims: true });
  const centered = ops.sub(x, mean);
  return { mean, centered, variance: ops.mean(ops.square(centered), axes, { keepDims: true }) };
}
