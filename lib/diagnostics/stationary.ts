// The stop test of pure optimization.
import type { ByPort } from '../model/ports.js';
import type { Model } from '../model/model.js';
import { Options } from '../options.js';
import type { InputLike, Targets } from '../training/columns.js';
import { type GradientNorm, normsOf } from './gradient-norm.js';
import { type DataOptions, dataKeys, probed } from './options.js';

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
  x: ByPort<InputLike>,
  y: Targets,
  options?: StationaryOptions,
): Promise<Stationary> {
  const where = 'diagnostics.stationary';
  const read = new Options<StationaryOptions>(where, options, [...dataKeys, 'tolerance']);
  const tolerance = read.number('tolerance', 1e-4, { min: 0 });
  const { probe, batches } = await probed(where, net, x, y, read);
  const { vector, loss } = await probe.gradient(batches);
  const { norm, largest } = await normsOf(probe, vector, loss);
  vector.dispose();
  return { stationary: norm <= tolerance, norm, largest, tolerance, loss };
}
