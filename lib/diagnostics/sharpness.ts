// The ends of the Hessian's spectrum.
import { DownhillError } from '../errors.js';
import type { ByPort } from '../model/ports.js';
import type { Model } from '../model/model.js';
import { Options } from '../options.js';
import type { InputLike, Targets } from '../training/columns.js';
import type { Batch } from './data.js';
import { type Extremes, lanczos, power, type Search } from './eigenvalues.js';
import { type DataOptions, dataKeys, probed } from './options.js';
import type { Probe } from './probe.js';

export interface SharpnessOptions extends DataOptions {
  /** Most products of the Hessian with a vector; 60 by default, with 'power' 400. */
  iterations?: number;
  /** Largest ‖Hv − λv‖ at which an eigenvalue counts as found, relative to the one of largest magnitude; 1e-3 by default. */
  tolerance?: number;
  /** 'lanczos' (default), or 'power', which keeps three vectors in memory instead of one per iteration. */
  method?: 'lanczos' | 'power';
  /** ε that 2/ε is of; by default the optimizer's rate of the next update. */
  learningRate?: number;
}

export interface Sharpness extends Extremes {
  learningRate: number;
  /** 2/ε: above it, gradient descent diverges along the eigenvector of the largest eigenvalue. */
  limit: number;
  /** largest > 2/ε */
  unstable: boolean;
  /** Eigenvalues of both signs, beyond what the residuals leave open. */
  saddle: boolean;
  /** The same in words. */
  verdict: string;
}

/** Eigenvalues at the probe's weights; NaN where the Hessian is not finite. */
export async function sharpnessOf(
  probe: Probe,
  batches: readonly Batch[],
  search: Search,
  method: 'lanczos' | 'power',
  learningRate: number,
): Promise<Sharpness> {
  const { vectors, size, options } = probe;
  const start = await vectors.randomUnit(size, options.seed);
  const find = method === 'lanczos' ? lanczos : power;
  const found = await find((vector) => probe.hessianVector(batches, vector), start, vectors, search);
  const { largest, smallest, residuals } = found;
  const limit = 2 / learningRate;
  const unsure = search.tolerance * Math.max(Math.abs(largest), Math.abs(smallest));
  const saddle = smallest < -Math.max(residuals[1], unsure) && largest > Math.max(residuals[0], unsure);
  const unstable = largest > limit;
  const verdict =
    `${unstable ? 'unstable' : 'stable'}: largest eigenvalue ${largest.toPrecision(4)}, 2/ε = ${limit.toPrecision(4)}; ` +
    (saddle
      ? `saddle: smallest ${smallest.toPrecision(4)}`
      : `no negative curvature: smallest ${smallest.toPrecision(4)}`);
  return { ...found, learningRate, limit, unstable, saddle, verdict };
}

/**
 * The largest eigenvalue of the Hessian of the training loss (its sharpness) beside 2/ε, above which gradient descent with rate ε diverges
 * along that direction, and the smallest, whose sign tells a saddle from a valley. From Hessian-vector products alone. An adaptive method or
 * momentum has another limit than 2/ε.
 *
 * @param options method ('lanczos'), iterations (60; 'power' 400), tolerance (1e-3), learningRate (the optimizer's), batchSize (256), training
 *   (false), seed (0). Lanczos's method keeps 4 bytes · parameters · iterations
 * @returns largest, smallest, residuals of both, converged, iterations, limit (2/ε), unstable, saddle, verdict
 * @throws (rejects) as gradientNorm, and NON_FINITE where the Hessian is not finite
 * @example
 * const { largest, limit, saddle } = await diagnostics.sharpness(net, x, y);
 * @see Cohen et al. 2021, Gradient Descent on Neural Networks Typically Occurs at the Edge of Stability (arXiv:2103.00065)
 */
export async function sharpness(
  net: Model,
  x: ByPort<InputLike>,
  y: Targets,
  options?: SharpnessOptions,
): Promise<Sharpness> {
  const where = 'diagnostics.sharpness';
  const own = ['iterations', 'tolerance', 'method', 'learningRate'] as const;
  const read = new Options<SharpnessOptions>(where, options, [...dataKeys, ...own]);
  const method = read.oneOf('method', ['lanczos', 'power'] as const, 'lanczos');
  const search = {
    iterations: read.count('iterations', method === 'lanczos' ? 60 : 400),
    tolerance: read.number('tolerance', 1e-3, { above: 0 }),
  };
  const rate = read.optionalNumber('learningRate', { min: 0 });
  const { probe, batches } = await probed(where, net, x, y, read);
  const found = await sharpnessOf(probe, batches, search, method, rate ?? probe.compiled.optimizer.learningRate);
  if (!Number.isFinite(found.largest + found.smallest))
    throw new DownhillError(
      'NON_FINITE',
      `${where}: the Hessian has values that are not finite at these weights. net.evaluate, and callbacks.terminateOnNaN in a fit, show where they come from.`,
    );
  return found;
}
