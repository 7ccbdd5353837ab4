// Systems with a symmetric positive definite matrix.
import { breather } from '../breather.js';
import type { Matrix } from './matrix.js';

/** Below this fraction of the largest diagonal element, times the size, a pivot is what rounding left of 0. */
const kSingular = 2 ** -52 * 8;

/**
 * Solves a·x = b in place: a (n, n) becomes L of a = L·Lᵀ in its lower triangle, b (n, m) becomes x.
 *
 * @returns the first column that is, but for rounding, a combination of those before it; −1 where there is none, and b is solved
 */
export async function solveCholesky(a: Matrix, b: Matrix): Promise<number> {
  const n = a.rows;
  const { values: l } = a;
  const breathe = breather();
  let largest = 0;
  for (let i = 0; i < n; i++) largest = Math.max(largest, l[i * n + i]!);
  for (let i = 0; i < n; i++) {
    for (let j = 0; j <= i; j++) {
      let sum = l[i * n + j]!;
      for (let k = 0; k < j; k++) sum -= l[i * n + k]! * l[j * n + k]!;
      if (j < i) l[i * n + j] = sum / l[j * n + j]!;
      else if (sum > kSingular * n * largest) l[i * n + i] = Math.sqrt(sum);
      else return i;
    }
    await breathe();
  }
  substitute(l, b, n);
  return -1;
}

/** L·y = b, then Lᵀ·x = y. */
function substitute(l: Float64Array, { columns: m, values: x }: Matrix, n: number): void {
  for (let column = 0; column < m; column++) {
    for (let i = 0; i < n; i++) {
      let sum = x[i * m + column]!;
      for (let k = 0; k < i; k++) sum -= l[i * n + k]! * x[k * m + column]!;
      x[i * m + column] = sum / l[i * n + i]!;
    }
    for (let i = n - 1; i >= 0; i--) {
      let sum = x[i * m + column]!;
      for (let k = i + 1; k < n; k++) sum -= l[k * n + i]! * x[k * m + column]!;
      x[i * m + column] = sum / l[i * n + i]!;
    }
  }
}
