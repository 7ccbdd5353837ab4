// Curvature along the gradient: what a step of gradient descent will do.
import type { ByPort } from '../model/ports.js';
import type { Model } from '../model/model.js';
import { Options } from '../options.js';
import type { InputLike, Targets } from '../training/columns.js';
import type { Batch } from './data.js';
import { type DataOptions, dataKeys, probed } from './options.js';
import type { Gradient, Probe } from './probe.js';

export interface CurvatureOptions extends DataOptions {
  /** ε of the step that is judged; by default the optimizer's rate of the next update. */
  learningRate?: number;
}

export interface Curvature {
  /** gᵀg */
  gTg: number;
  /** gᵀHg, with the exact Hessian H of the training loss. */
  gTHg: number;
  /** ε */
  learningRate: number;
  /** ε gᵀg: what a step of gradient descent gains by the slope. */
  gain: number;
  /** ½ ε² gᵀHg: what it loses to the curvature. */
  cost: number;
  /** −gain + cost: the change of the loss to second order. */
  change: number;
  /** cost > gain: the step raises the loss. */
  harmful: boolean;
  /** The largest rate that is not harmful: 2 gᵀg / gᵀHg, infinite where the curvature is not positive. */
  largestRate: number;
  /** The same in words. */
  verdict: string;
  loss: number;
}

/** gᵀHg for a gradient, and what follows for a rate. */
export async function curvatureOf(
  probe: Probe,
  batches: readonly Batch[],
  { vector, loss }: Gradient,
  learningRate: number,
): Promise<Curvature> {
  const { vectors } = probe;
  const product = await probe.hessianVector(batches, vector);
  const gTg = await vectors.dot(vector, vector);
  const gTHg = await vectors.dot(vector, product);
  product.dispose();
  const gain = learningRate * gTg;
  const cost = 0.5 * learningRate ** 2 * gTHg;
  const harmful = cost > gain;
  return {
    gTg,
    gTHg,
    learningRate,
    gain,
    cost,
    change: cost - gain,
    harmful,
    largestRate: gTHg > 0 ? (2 * gTg) / gTHg : Infinity,
    verdict: verdictOf(gTg, gain, cost),
    loss,
  };
}

function verdictOf(gTg: number, gain: number, cost: number): string {
  const compared = `½ε²gᵀHg = ${cost.toPrecision(3)}, εgᵀg = ${gain.toPrecision(3)}`;
  if (!Number.isFinite(cost - gain)) return `not finite: ${compared}`;
  if (gTg === 0) return 'stationary: the gradient is zero';
  if (cost > gain) return `harmful: the curvature costs more than the slope gains (${compared})`;
  return cost > 0.5 * gain
    ? `ill-conditioned: the curvature costs more than half of what the slope gains (${compared})`
    : `fine: a step lowers the loss (${compared})`;
}

/**
 * The second-order model of a step of gradient descent, J(θ − εg) ≈ J(θ) − ε gᵀg + ½ ε² gᵀHg: with gᵀHg from an exact Hessian-vector product
 * through the graph. The step is harmful where ½ ε² gᵀHg > ε gᵀg. Ill-conditioning shows as a gᵀHg that grows by orders of magnitude while
 * gᵀg does not shrink.
 *
 * @param options learningRate (ε, by default the optimizer's), batchSize (256), training (false), seed (0)
 * @returns gTg, gTHg, learningRate, gain (εgᵀg), cost (½ε²gᵀHg), change, harmful, largestRate, verdict, loss
 * @throws (rejects) as gradientNorm
 * @example
 * const { gTg, gTHg, harmful } = await diagnostics.curvature(net, x, y, { learningRate: 0.1 });
 * @see Goodfellow, Bengio, Courville 2016, Deep Learning, 8.2.1; Pearlmutter 1994, Fast Exact Multiplication by the Hessian
 */
export async function curvature(
  net: Model,
  x: ByPort<InputLike>,
  y: Targets,
  options?: CurvatureOptions,
): Promise<Curvature> {
  const where = 'diagnostics.curvature';
  const read = new Options<CurvatureOptions>(where, options, [...dataKeys, 'learningRate']);
  const rate = read.optionalNumber('learningRate', { min: 0 });
  const { probe, batches } = await probed(where, net, x, y, read);
  const gradient = await probe.gradient(batches);
  const result = await curvatureOf(probe, batches, gradient, rate ?? probe.compiled.optimizer.learningRate);
  gradient.vector.dispose();
  return result;
}
