import * as ops from '../graph/ops.js';
import { Options } from '../options.js';
import { type Projection, projection } from './constraint.js';

/**
 * No weight below 0: max(w, 0).
 *
 * @example
 * layers.dense({ units: 10, kernelConstraint: constraints.nonNeg() });
 * @see https://keras.io/api/layers/constraints/
 */
export function nonNeg(options?: Record<never, never>): Projection {
  new Options('constraints.nonNeg', options, []);
  return projection('NonNeg', {}, (weights) => ops.maximum(weights, 0));
}
