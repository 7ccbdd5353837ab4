// Eigenvalues of small symmetric tridiagonal matrices, in double.

export interface Spectrum {
  /** Ascending. */
  values: number[];
  /** Of each eigenvalue's unit eigenvector, the last entry. */
  last: number[];
}

/** Sweeps for one eigenvalue; two or three are usual. */
const kSweeps = 60;

/**
 * Eigenvalues by the QL method with implicit shifts.
 *
 * @param diagonal a_1 … a_n
 * @param beside b_1 … b_{n−1}, above and below the diagonal
 * @see Golub and Van Loan, Matrix Computations, 8.3
 */
export function tridiagonalSpectrum(diagonal: readonly number[], beside: readonly number[]): Spectrum {
  const n = diagonal.length;
  const d = [...diagonal];
  const e = [...beside, 0];
  const z = Array.from({ length: n }, (_, i) => (i === n - 1 ? 1 : 0));
  for (let low = 0; low < n; low++)
    for (let sweep = 0; sweep < kSweeps; sweep++) {
      let high = low;
      while (high < n - 1 && Math.abs(e[high]) > Number.EPSILON * (Math.abs(d[high]) + Math.abs(d[high + 1]))) high++;
      if (high === low) break;
      rotate(d, e, z, low, high);
    }
  const order = d.map((_, i) => i).sort((i, j) => d[i] - d[j]);
  return { values: order.map((i) => d[i]), last: order.map((i) => z[i]) };
}

/** One sweep of rotations over the block [low, high], from below, with Wilkinson's shift. */
function rotate(d: number[], e: number[], z: number[], low: number, high: number): void {
  const half = (d[low + 1] - d[low]) / (2 * e[low]);
  const length = Math.hypot(half, 1);
  let g = d[high] - d[low] + e[low] / (half + (half < 0 ? -length : length));
  let [s, c, p] = [1, 1, 0];
  for (let i = high - 1; i >= low; i--) {
    const f = s * e[i];
    const b = c * e[i];
    const r = Math.hypot(f, g);
    e[i + 1] = r;
    if (r === 0) {
      d[i + 1] -= p;
      e[high] = 0;
      return;
    }
    s = f / r;
    c = g / r;
    g = d[i + 1] - p;
    const t = (d[i] - g) * s + 2 * c * b;
    p = s * t;
    d[i + 1] = g + p;
    g = c * t - b;
    const above = z[i + 1];
    z[i + 1] = s * z[i] + c * above;
    z[i] = c * z[i] - s * above;
  }
  d[low] -= p;
  e[low] = g;
  e[high] = 0;
}
