import { DownhillError } from '../errors.js';
import { direction } from '../graph/direction.js';
import * as ops from '../graph/ops.js';
import type { Result } from '../graph/signatures.js';
import { Options } from '../options.js';
import { shapeText } from '../tensor/shape.js';
import { configured, type Penalty } from './regularizer.js';

export interface OrthogonalOptions {
  /** At least 0; 0.01 by default. */
  factor?: number;
  /** Which vectors are to be orthogonal: 'rows' (default) or 'columns'; of a dense kernel a column is a unit. */
  mode?: 'rows' | 'columns';
}

const where = 'regularizers.orthogonal';

/**
 * factor times the mean of |cos| of the angle between two rows, or columns, of a matrix: 0 where all are orthogonal. Keras `OrthogonalRegularizer`;
 * unlike there a single vector gives 0, not NaN.
 *
 * @param options factor (0.01), mode ('rows')
 * @throws OUT_OF_RANGE, INVALID_ARGUMENT, UNKNOWN_OPTION; applied to anything but a matrix SHAPE_MISMATCH
 * @example
 * layers.dense({ units: 64, kernelRegularizer: regularizers.orthogonal({ factor: 0.1, mode: 'columns' }) });
 * @see https://keras.io/api/layers/regularizers/#orthogonalregularizer-class
 */
export function orthogonal(options?: OrthogonalOptions): Penalty {
  const read = new Options<OrthogonalOptions>(where, options, ['factor', 'mode']);
  const factor = read.number('factor', 0.01, { min: 0 });
  const mode = read.oneOf('mode', ['rows', 'columns'] as const, 'rows');
  return configured('OrthogonalRegularizer', { factor, mode }, (weights) => penaltyOf(weights, factor, mode));
}

function penaltyOf(weights: Result, factor: number, mode: 'rows' | 'columns'): Result {
  if (weights.shape.length !== 2)
    throw new DownhillError('SHAPE_MISMATCH', `${where} takes matrices; received shape ${shapeText(weights.shape)}.`);
  const along = mode === 'rows' ? 1 : 0;
  const count = weights.shape[1 - along]!;
  const vectors = direction(weights, along);
  const cosines =
    mode === 'rows'
      ? ops.matmul(vectors, vectors, { transposeB: true })
      : ops.matmul(vectors, vectors, { transposeA: true });
  const others = ops.sub(
    1,
    ops.oneHot(
      Int32Array.from({ length: count }, (_, i) => i),
      count,
    ),
  );
  const pairs = Math.max(1, count * (count - 1)); // each twice
  return ops.mul(ops.sum(ops.mul(ops.abs(cosines), others)), factor / pairs);
}
