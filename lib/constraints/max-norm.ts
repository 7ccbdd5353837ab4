import * as ops from '../graph/ops.js';
import { Options } from '../options.js';
import { axisOf } from './axis.js';
import { type Projection, projection, rescaled } from './constraint.js';

export interface MaxNormOptions {
  /** Largest norm, at least 0; 2 by default. */
  maxValue?: number;
  /** Axis or axes that a norm is taken along; 0 by default: of a kernel (features, units), the weights into each unit. */
  axis?: number | readonly number[];
}

/**
 * Norms of at most maxValue: w · min(‖w‖, maxValue) / (1e-7 + ‖w‖).
 *
 * @throws OUT_OF_RANGE, INVALID_ARGUMENT
 * @example
 * layers.dense({ units: 10, kernelConstraint: constraints.maxNorm({ maxValue: 3 }) });
 * @see https://keras.io/api/layers/constraints/
 */
export function maxNorm(options?: MaxNormOptions): Projection {
  const read = new Options<MaxNormOptions>('constraints.maxNorm', options, ['maxValue', 'axis']);
  const maxValue = read.number('maxValue', 2, { min: 0 });
  const axis = axisOf(read);
  return projection('MaxNorm', { maxValue, axis }, (weights) =>
    rescaled(weights, axis, (norms) => ops.clip(norms, 0, maxValue)),
  );
}
