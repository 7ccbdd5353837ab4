// Eigenvalues of small symmetric tridiagonal matrices, in double.
import { matrix } from '../solve/matrix.js';
import { qrSteps } from '../solve/tridiagonal.js';

export interface Spectrum {
  /** Ascending. */
  values: number[];
  /** Of each eigenvalue's unit eigenvector, the last entry. */
  last: number[];
}

/**
 * Of entries that are not all finite everything is NaN.
 *
 * @param diagonal a_1 … a_n
 * @param beside b_1 … b_{n−1}, above and below the diagonal
 */
export function tridiagonalSpectrum(diagonal: readonly number[], beside: readonly number[]): Spectrum {
  const n = diagonal.length;
  if (![...diagonal, ...beside].every(Number.isFinite)) {
    const nothing = new Array<number>(n).fill(Number.NaN);
    return { values: nothing, last: nothing };
  }
  const d = Float64Array.from(diagonal);
  const last = matrix(n, 1);
  last.values[n - 1] = 1;
  for (const _ of qrSteps(d, Float64Array.from(beside), last));
  const order = Array.from(d.keys()).sort((i, j) => d[i]! - d[j]!);
  return { values: order.map((i) => d[i]!), last: order.map((i) => last.values[i]!) };
}
