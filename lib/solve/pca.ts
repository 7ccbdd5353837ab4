// Principal components, exactly.
import { checkCount, Options } from '../options.js';
import { DownhillError } from '../errors.js';
import * as ops from '../graph/ops.js';
import { asTensor } from '../tensor/make.js';
import type { TensorLike } from '../tensor/convert.js';
import { type Tensor, tensor } from '../tensor/index.js';
import { shapeText } from '../tensor/shape.js';
import { eigen } from './eigen.js';
import { columnMeans, gram, subtract, toMatrix } from './matrix.js';

export interface PcaOptions {
  /** Whether the mean of x is subtracted first; true by default. */
  center?: boolean;
}

const where = 'solve.pca';

/** The best linear code of a length: encode(x) = (x − mean)·D, decode(c) = c·Dᵀ + mean. */
export class Pca {
  constructor(
    /** D [features, components]: orthonormal columns, in the order of their variances. */
    readonly components: Tensor,
    /** By component: mean square of each code, Σc² / n. */
    readonly variances: Tensor,
    /** [features]; zeros where x was not centred */
    readonly mean: Tensor,
    /** Part of the variance of x that the components have, in [0, 1]. */
    readonly explained: number,
  ) {}

  /** [n, features] → [n, components] */
  encode(x: TensorLike): Tensor {
    return ops.matmul(ops.sub(this.#rows('x', x, 0), this.mean), this.components);
  }

  /** [n, components] → [n, features]; of a code of x its reconstruction D·Dᵀ·x. */
  decode(codes: TensorLike): Tensor {
    return ops.add(ops.matmul(this.#rows('codes', codes, 1), this.components, { transposeB: true }), this.mean);
  }

  #rows(what: string, value: TensorLike, axis: 0 | 1): Tensor {
    const rows = asTensor(`${where}: ${what}`, value, 'float32');
    const wanted = this.components.shape[axis]!;
    if (rows.shape.length === 2 && rows.shape[1] === wanted) return rows;
    throw new DownhillError(
      'SHAPE_MISMATCH',
      `${where}: ${what} must have shape [n, ${wanted}]; received ${shapeText(rows.shape)}.`,
    );
  }
}

/**
 * The D with orthonormal columns that minimises Σ‖x − D·Dᵀ·x‖² for centred x: the eigenvectors of XᵀX/n with the largest eigenvalues, in
 * double. Each has its largest entry positive, which makes it unique unless variances are equal.
 *
 * @param x [n, features]
 * @param components length of the code, at most the number of features, which is the default
 * @param options center (true)
 * @returns components, variances, mean, explained; encode and decode
 * @throws (rejects) SHAPE_MISMATCH, OUT_OF_RANGE, NON_FINITE, EMPTY_DATA
 * @example
 * const pca = await solve.pca(x, 2);
 * const reconstruction = pca.decode(pca.encode(x));
 * @see Goodfellow et al. 2016, section 2.12
 */
export async function pca(x: TensorLike, components?: number, options?: PcaOptions): Promise<Pca> {
  const center = new Options<PcaOptions>(where, options, ['center']).flag('center', true);
  const data = toMatrix(`${where}: x`, x);
  const features = data.columns;
  const count =
    components === undefined ? features : checkCount(`${where}: components`, components, { min: 1, max: features });
  const mean = center ? columnMeans(data) : new Float64Array(features);
  if (center) subtract(data, mean);
  const covariance = await gram(data);
  for (let i = 0; i < covariance.values.length; i++) covariance.values[i]! /= data.rows;
  const { values, vectors } = await eigen(covariance);
  const directions = new Float64Array(features * count);
  for (let k = 0; k < count; k++) {
    const vector = vectors.values.subarray(k * features, (k + 1) * features);
    const largest = vector.reduce((best, value) => (Math.abs(value) > Math.abs(best) ? value : best), 0);
    for (let i = 0; i < features; i++) directions[i * count + k] = largest < 0 ? -vector[i]! : vector[i]!;
  }
  const variances = values.map((value) => Math.max(0, value));
  const total = variances.reduce((sum, value) => sum + value, 0);
  const kept = variances.subarray(0, count);
  return new Pca(
    tensor(directions, [features, count]),
    tensor(Float64Array.from(kept), [count]),
    tensor(mean, [features]),
    total === 0 ? 1 : kept.reduce((sum, value) => sum + value, 0) / total,
  );
}
