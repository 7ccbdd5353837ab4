import { DownhillError } from '../errors.js';
import * as ops from '../graph/ops.js';
import { Options } from '../options.js';
import { axisOf } from './axis.js';
import { type Projection, projection, rescaled } from './constraint.js';

export interface MinMaxNormOptions {
  /** Smallest norm, at least 0; 0 by default. */
  minValue?: number;
  /** Largest norm, at least minValue; 1 by default. */
  maxValue?: number;
  /** How much of the way to the allowed norm each update goes, in [0, 1]; 1 by default. */
  rate?: number;
  /** Axis or axes that a norm is taken along; 0 by default: of a kernel (features, units), the weights into each unit. */
  axis?: number | readonly number[];
}

/**
 * Norms between minValue and maxValue: w · (rate · clip(‖w‖, minValue, maxValue) + (1 − rate) · ‖w‖) / (1e-7 + ‖w‖).
 *
 * @throws OUT_OF_RANGE, INVALID_ARGUMENT
 * @example
 * layers.dense({ units: 10, kernelConstraint: constraints.minMaxNorm({ minValue: 0.5, maxValue: 2, rate: 0.1 }) });
 * @see https://keras.io/api/layers/constraints/
 */
export function minMaxNorm(options?: MinMaxNormOptions): Projection {
  const keys = ['minValue', 'maxValue', 'rate', 'axis'] as const;
  const read = new Options<MinMaxNormOptions>('constraints.minMaxNorm', options, keys);
  const minValue = read.number('minValue', 0, { min: 0 });
  const maxValue = read.number('maxValue', 1, { min: 0 });
  if (maxValue < minValue)
    throw new DownhillError(
      'OUT_OF_RANGE',
      `${read.what('maxValue')} must be at least minValue, ${minValue}; received ${maxValue}.`,
    );
  const rate = read.number('rate', 1, { min: 0, max: 1 });
  const axis = axisOf(read);
  return projection('MinMaxNorm', { minValue, maxValue, rate, axis }, (weights) =>
    rescaled(weights, axis, (norms) =>
      ops.add(ops.mul(ops.clip(norms, minValue, maxValue), rate), ops.mul(norms, 1 - rate)),
    ),
  );
}
