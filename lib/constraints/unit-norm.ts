import { Options } from '../options.js';
import { axisOf } from './axis.js';
import { type Projection, projection, rescaled } from './constraint.js';

export interface UnitNormOptions {
  /** Axis or axes that a norm is taken along; 0 by default: of a kernel (features, units), the weights into each unit. */
  axis?: number | readonly number[];
}

/**
 * Norms of 1: w / (1e-7 + ‖w‖).
 *
 * @throws INVALID_ARGUMENT
 * @example
 * layers.dense({ units: 10, kernelConstraint: 'unitNorm' });
 * @see https://keras.io/api/layers/constraints/
 */
export function unitNorm(options?: UnitNormOptions): Projection {
  const read = new Options<UnitNormOptions>('constraints.unitNorm', options, ['axis']);
  const axis = axisOf(read);
  return projection('UnitNorm', { axis }, (weights) => rescaled(weights, axis, () => 1));
}
