// The noise of a sampled gradient.
import { DownhillError } from '../errors.js';
import type { ByPort } from '../model/ports.js';
import type { Model } from '../model/model.js';
import { Options } from '../options.js';
import type { Tensor } from '../tensor/tensor.js';
import type { InputLike, Targets } from '../training/columns.js';
import { compiledOf, Data, randomOrder } from './data.js';
import { type DataOptions, dataKeys, probeOptions } from './options.js';
import { Probe } from './probe.js';

export interface NoiseScaleOptions extends DataOptions {
  /** Rows of a sampled batch, n of σ/√n; 32 by default. */
  batchSize?: number;
  /** Sampled batches, at least 2; by default as many as the data has, at most 16. */
  batches?: number;
  /** Whether the rows are drawn, without replacement (the default), or taken in order. */
  shuffle?: boolean;
}

export interface StandardError {
  /** Rows of a batch, n. */
  size: number;
  /** Batches that it was measured on. */
  batches: number;
  /** √(Σ‖gᵢ − ḡ‖² / (batches − 1)): how far the gradient of such a batch lies from the mean. */
  measured: number;
  /** σ/√n, with the σ of the smallest batches. */
  expected: number;
}

export interface NoiseScale {
  /** tr(Σ)/|G|², in rows: far smaller batches are noise, far larger ones redundant. Infinity where |G|² is lost in it. */
  noiseScale: number;
  /** tr(Σ): the variance of one example's gradient, summed over the parameters. */
  trace: number;
  /** |G|², the estimate without bias: it may be negative where the noise is far larger. */
  squaredNorm: number;
  /** √tr(Σ) */
  sigma: number;
  /** For batches of batchSize, of twice as many rows, …, each put together of the same examples. */
  standardErrors: StandardError[];
}

/** Sums over batches of one size: of the vectors, and of their squared norms. */
interface Level {
  /** The first half of a batch of this size, while the second is awaited. */
  pending: Tensor | null;
  count: number;
  squares: number;
}

/**
 * Estimates tr(Σ) and |G|² from the gradients of `count` batches given one after the other. For batches of b and of all B = count · b rows,
 * E|g_b|² = |G|² + tr(Σ)/b, so that tr(Σ) = (|g_b|² − |g_B|²) / (1/b − 1/B) and |G|² = (B |g_B|² − b |g_b|²) / (B − b) are without bias;
 * |g_b|² is the mean over the batches.
 */
export async function noiseOf(
  probe: Probe,
  size: number,
  count: number,
  gradientOf: (index: number) => Promise<Tensor>,
): Promise<NoiseScale> {
  const { vectors } = probe;
  // Distances from the first gradient: of nearly equal ones, squares of differences keep what differences of squares lose.
  const origin = await gradientOf(0);
  const levels: Level[] = [];
  let total = await vectors.scale(origin, 0);
  const add = async (vector: Tensor, level: number): Promise<void> => {
    levels[level] ??= { pending: null, count: 0, squares: 0 };
    const at = levels[level];
    at.count++;
    at.squares += await vectors.dot(vector, vector);
    if (!at.pending) {
      at.pending = vector;
      return;
    }
    const sum = await vectors.combine(at.pending, 1, vector);
    const mean = await vectors.scale(sum, 0.5);
    for (const tensor of [sum, vector, at.pending]) tensor.dispose();
    at.pending = null;
    await add(mean, level + 1);
  };
  for (let i = 0; i < count; i++) {
    const gradient = i === 0 ? origin : await gradientOf(i);
    const difference = await vectors.combine(gradient, -1, origin);
    if (i > 0) gradient.dispose();
    const next = await vectors.combine(total, 1 / count, difference);
    total.dispose();
    total = next;
    await add(difference, 0);
  }
  const off = await vectors.dot(total, total);
  const mean = await vectors.combine(origin, 1, total);
  const squared = await vectors.dot(mean, mean);
  for (const { pending } of levels) pending?.dispose();
  for (const tensor of [origin, total, mean]) tensor.dispose();

  const spread = Math.max(0, levels[0].squares - count * off) / (count - 1);
  const trace = size * spread;
  const squaredNorm = squared - spread / count;
  // Larger batches where all examples are in some: their mean is then the same.
  const whole = levels.filter(({ count: batches }, i) => batches >= 2 && batches * 2 ** i === count);
  const standardErrors = whole.map(({ count: batches, squares }, i) => ({
    size: size * 2 ** i,
    batches,
    measured: Math.sqrt(Math.max(0, squares - batches * off) / (batches - 1)),
    expected: Math.sqrt(trace / (size * 2 ** i)),
  }));
  return {
    noiseScale: squaredNorm > 0 ? trace / squaredNorm : Infinity,
    trace,
    squaredNorm,
    sigma: Math.sqrt(trace),
    standardErrors,
  };
}

/**
 * How noisy the gradient of a minibatch is. Its standard error falls as σ/√n with the rows n: a hundred times the computation for a tenth of the
 * error. The gradient noise scale tr(Σ)/|G|² is the batch size at which noise and gradient are as large as each other.
 *
 * Batches of batchSize rows give E|g_b|² = |G|² + tr(Σ)/b, all of them together E|g_B|² = |G|² + tr(Σ)/B: from both follow tr(Σ) and |G|²
 * without bias (their quotient has one that falls with the number of batches). Rows are drawn without replacement and taken as independent draws from the
 * distribution of the data. Penalties of regularizers are part of G and have no noise.
 *
 * @param options batchSize (b, 32), batches (as many as the data has, at most 16), shuffle (true), training (false), seed (0)
 * @returns noiseScale (rows), trace (tr Σ), squaredNorm (|G|²), sigma (√tr Σ), standardErrors: size, batches, measured, expected (σ/√n)
 * @throws (rejects) as gradientNorm; OUT_OF_RANGE where the data has fewer rows than two batches
 * @example
 * const { noiseScale, standardErrors } = await diagnostics.noiseScale(net, x, y, { batchSize: 16, batches: 64 });
 * @see McCandlish et al. 2018, An Empirical Model of Large-Batch Training (arXiv:1812.06162), appendix A.1
 */
export async function noiseScale(
  net: Model,
  x: ByPort<InputLike>,
  y: Targets,
  options?: NoiseScaleOptions,
): Promise<NoiseScale> {
  const where = 'diagnostics.noiseScale';
  const read = new Options<NoiseScaleOptions>(where, options, [...dataKeys, 'batches', 'shuffle']);
  const size = read.count('batchSize', 32);
  const given = read.optionalCount('batches', { min: 2 });
  const shuffle = read.flag('shuffle', true);
  const chosen = probeOptions(read);
  const compiled = compiledOf(where, net);
  const data = await Data.of(where, net, compiled, x, y, read.raw);
  const count = given ?? Math.min(16, Math.floor(data.rows / size));
  if (count < 2 || count * size > data.rows)
    throw new DownhillError(
      'OUT_OF_RANGE',
      `${where}: ${Math.max(count, 2)} batches of ${size} rows need ${Math.max(count, 2) * size} rows; x has ${data.rows}. Give more data, or less for batchSize or batches.`,
    );
  const order = shuffle ? randomOrder(data.rows, chosen.seed) : null;
  const probe = new Probe(where, net, compiled, data.types, chosen);
  return noiseOf(probe, size, count, async (i) => {
    const batch = data.batch(i * size, (i + 1) * size, i, order);
    return (await probe.gradient([batch])).vector;
  });
}
