// The norm of the gradient.
import * as ops from '../graph/ops.js';
import { compile } from '../graph/compile.js';
import type { SymbolicTensor } from '../graph/symbolic.js';
import type { ByPort } from '../model/ports.js';
import type { Model } from '../model/model.js';
import type { Tensor } from '../tensor/tensor.js';
import type { InputLike, Targets } from '../training/columns.js';
import { commonOptions, type DataOptions, probed } from './options.js';
import type { Probe } from './probe.js';

export interface GradientNorm {
  /** ‖g‖₂ over all trained weights together. */
  norm: number;
  /** gᵀg */
  squared: number;
  /** The largest |gᵢ|. */
  largest: number;
  /** ‖g‖₂ of each trained weight, by its name in net.parameters. */
  weights: Record<string, number>;
  /** The training loss, with regularizers. */
  loss: number;
}

/** Norms of a gradient's parts. */
export async function normsOf(probe: Probe, vector: Tensor, loss: number): Promise<GradientNorm> {
  const norms = compile(
    (v: SymbolicTensor) => {
      const parts = probe.split(v);
      return [ops.max(ops.abs(v)), ...parts.map((part) => ops.sum(ops.square(part)))];
    },
    { device: probe.device },
  );
  const [largest, ...squares] = (await norms(vector)).map((value) => value.dataSync()[0]);
  norms.dispose();
  const squared = squares.reduce((total, square) => total + square, 0);
  const weights = Object.fromEntries(
    probe.trained.map(({ variable }, i) => [variable.name, Math.sqrt(squares[i])] as const),
  );
  return { norm: Math.sqrt(squared), squared, largest, weights, loss };
}

/**
 * ‖g‖₂ of the gradient g = ∇(1/n Σ L(f(xᵢ), yᵢ) + penalties) over all rows: exact over batches, which count by their rows. The model, its
 * optimizer and the random state stay as they are; during a fit it is the gradient at the last finished step.
 *
 * @param x inputs [n, …], y targets, as fit takes them
 * @param options batchSize (256), training (false: dropout off), seed (0); sampleWeight and classWeight as for fit
 * @returns norm, squared (gᵀg), largest (max |gᵢ|), weights (‖g‖ by name), loss
 * @throws (rejects) NOT_COMPILED, SHAPE_MISMATCH, EMPTY_DATA, NON_FINITE for data with NaN or infinity
 * @example
 * const { norm } = await diagnostics.gradientNorm(net, x, y);
 */
export async function gradientNorm(
  net: Model,
  x: ByPort<InputLike>,
  y: Targets,
  options?: DataOptions,
): Promise<GradientNorm> {
  const where = 'diagnostics.gradientNorm';
  const { probe, batches } = await probed(where, net, x, y, commonOptions(where, options));
  const { vector, loss } = await probe.gradient(batches);
  const norms = await normsOf(probe, vector, loss);
  vector.dispose();
  return norms;
}
