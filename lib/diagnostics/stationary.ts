// The stop test of pure optimization.
import type { Model } from '../model/model.js';
import { Options } from '../options.js';
import type { DataLike } from '../training/columns.js';
import { type GradientNorm, gradientNorm } from './gradient-norm.js';
import { type DataOptions, dataKeys } from './options.js';

export interface StationaryOptions extends DataOptions {
  /** Largest ‖g‖₂ that counts as none; 1e-4 by default. */
  tolerance?: number;
}

export interface Stationary extends Pick<GradientNorm, 'norm' | 'largest' | 'loss'> {
  tolerance: number;
  /** norm ≤ tolerance */
  stationary: boolean;
}

/**
 * Whether the training loss has converged to a point where its gradient is small: ‖g‖₂ ≤ tolerance over all rows. Pure optimization stops
 * there; early stopping often ends a training long before. float32 gradients do not get much below 1e-6 of their terms.
 *
 * @param options tolerance (1e-4), batchSize (256), training (false), seed (0)
 * @returns stationary, norm (‖g‖₂), largest (max |gᵢ|), tolerance, loss
 * @throws (rejects) as gradientNorm
 * @example
 * const { stationary, norm } = await diagnostics.stationary(net, x, y, { tolerance: 1e-3 });
 */
export async function stationary(
  net: Model,
  x: DataLike,
  y: DataLike,
  options?: StationaryOptions,
): Promise<Stationary> {
  const read = new Options<StationaryOptions>('diagnostics.stationary', options, [...dataKeys, 'tolerance']);
  const tolerance = read.number('tolerance', 1e-4, { min: 0 });
  const { tolerance: _, ...common } = read.raw;
  const { norm, largest, loss } = await gradientNorm(net, x, y, common);
  return { stationary: norm <= tolerance, norm, largest, tolerance, loss };
}
