// Eigenvalues of symmetric tridiagonal matrices, by implicit QR steps.
import { DownhillError } from '../errors.js';
import type { Matrix } from './matrix.js';

/** QR steps for each eigenvalue; two or three are usual. */
const kSteps = 60;
const kEpsilon = 2 ** -52;

/**
 * QR steps with Wilkinson's shift, until e is 0 and d holds the eigenvalues; yields after each. The rows of z (n, columns) turn along: of the
 * unit matrix they become the eigenvectors.
 *
 * @param d diagonal: d[0] … d[n − 1]
 * @param e above and below it: e[0] … e[n − 2]
 * @throws INTERNAL where it does not converge, as with values that are not finite
 * @see Golub and Van Loan 2013, Matrix Computations, section 8.3.3
 */
export function* qrSteps(d: Float64Array, e: Float64Array, z: Matrix): Generator<void> {
  const n = d.length;
  const negligible = (i: number) => Math.abs(e[i]!) <= kEpsilon * (Math.abs(d[i]!) + Math.abs(d[i + 1]!));
  let steps = 0;
  for (let high = n - 1; high > 0; ) {
    if (negligible(high - 1)) {
      e[high - 1] = 0;
      high--;
      steps = 0;
      continue;
    }
    let low = high - 1;
    while (low > 0 && !negligible(low - 1)) low--;
    if (++steps > kSteps)
      throw new DownhillError(
        'INTERNAL',
        'The eigenvalues of a symmetric matrix were not found; please report its values.',
      );
    step(d, e, z, low, high);
    yield;
  }
}

function step(d: Float64Array, e: Float64Array, z: Matrix, low: number, high: number): void {
  const n = z.columns;
  const last = e[high - 1]!;
  const half = (d[high - 1]! - d[high]!) / 2;
  const shift = d[high]! - (last * last) / (half + (half < 0 ? -1 : 1) * Math.hypot(half, last));
  let x = d[low]! - shift;
  let bulge = e[low]!;
  for (let k = low; k < high; k++) {
    const length = Math.hypot(x, bulge);
    const c = length === 0 ? 1 : x / length;
    const s = length === 0 ? 0 : bulge / length;
    if (k > low) e[k - 1] = length;
    const [a, b, off] = [d[k]!, d[k + 1]!, e[k]!];
    d[k] = c * c * a + 2 * c * s * off + s * s * b;
    d[k + 1] = s * s * a - 2 * c * s * off + c * c * b;
    e[k] = c * s * (b - a) + (c * c - s * s) * off;
    if (k < high - 1) {
      x = e[k]!;
      bulge = s * e[k + 1]!;
      e[k + 1]! *= c;
    }
    const first = z.values.subarray(k * n, (k + 1) * n);
    const second = z.values.subarray((k + 1) * n, (k + 2) * n);
    for (let j = 0; j < n; j++) {
      const [p, q] = [first[j]!, second[j]!];
      first[j] = c * p + s * q;
      second[j] = c * q - s * p;
    }
  }
}
