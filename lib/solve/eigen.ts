// Eigenvalues and eigenvectors of symmetric matrices: Householder's tridiagonal form, then implicit QR steps.
import { breather } from '../breather.js';
import { type Matrix, matrix } from './matrix.js';
import { qrSteps } from './tridiagonal.js';

export interface Eigen {
  /** Descending. */
  values: Float64Array;
  /** Row i is the eigenvector of values[i], of length 1. */
  vectors: Matrix;
}

/** Of a (n, n), which is overwritten. Golub and Van Loan 2013, Matrix Computations, sections 8.3.1 to 8.3.3. */
export async function eigen(a: Matrix): Promise<Eigen> {
  const n = a.rows;
  const { diagonal, beside, vectors } = await tridiagonal(a);
  const breathe = breather();
  for (const _ of qrSteps(diagonal, beside, vectors)) await breathe();
  const order = Array.from({ length: n }, (_, i) => i).sort((i, j) => diagonal[j]! - diagonal[i]!);
  const sorted = matrix(n, n);
  for (const [to, from] of order.entries())
    sorted.values.set(vectors.values.subarray(from * n, (from + 1) * n), to * n);
  return { values: Float64Array.from(order, (i) => diagonal[i]!), vectors: sorted };
}

interface Tridiagonal {
  diagonal: Float64Array;
  /** beside[i] stands between i and i + 1. */
  beside: Float64Array;
  /** Qᵀ, where a = Q·T·Qᵀ. */
  vectors: Matrix;
}

/** Reflections I − v·vᵀ, ‖v‖² = 2, from both sides; v of column k is kept in row k, right of the diagonal. */
async function tridiagonal({ rows: n, values: a }: Matrix): Promise<Tridiagonal> {
  const diagonal = new Float64Array(n);
  const beside = new Float64Array(n);
  const w = new Float64Array(n);
  const breathe = breather();
  for (let k = 0; k < n - 1; k++) {
    diagonal[k] = a[k * n + k]!;
    const v = a.subarray(k * n, (k + 1) * n); // by symmetry row k is column k
    beside[k] = reflection(v, k + 1);
    // w = a·v − (vᵀ·a·v / 2)·v
    let product = 0;
    for (let i = k + 1; i < n; i++) {
      let sum = 0;
      for (let j = k + 1; j < n; j++) sum += a[i * n + j]! * v[j]!;
      w[i] = sum;
      product += sum * v[i]!;
    }
    for (let i = k + 1; i < n; i++) w[i]! -= (product / 2) * v[i]!;
    for (let i = k + 1; i < n; i++) {
      const [vi, wi, at] = [v[i]!, w[i]!, i * n];
      for (let j = k + 1; j < n; j++) a[at + j]! -= vi * w[j]! + wi * v[j]!;
    }
    await breathe();
  }
  if (n > 0) diagonal[n - 1] = a[n * n - 1]!;
  return { diagonal, beside, vectors: await product(a, n) };
}

/** Makes v of x = v[from …], so that (I − v·vᵀ)·x is a multiple of the first unit vector, which is returned. */
function reflection(v: Float64Array, from: number): number {
  let largest = 0;
  for (let i = from; i < v.length; i++) largest = Math.max(largest, Math.abs(v[i]!));
  if (largest === 0) return 0;
  let sum = 0;
  for (let i = from; i < v.length; i++) sum += (v[i]! / largest) ** 2;
  const norm = largest * Math.sqrt(sum);
  const first = v[from]! > 0 ? -norm : norm;
  v[from]! -= first;
  // ‖x − first·e‖² = 2·norm·(norm + |x₀|) = 2·norm·|x₀ − first|
  const scale = 1 / Math.sqrt(norm * Math.abs(v[from]!));
  for (let i = from; i < v.length; i++) v[i]! *= scale;
  return first;
}

/** The product of the reflections, transposed. */
async function product(a: Float64Array, n: number): Promise<Matrix> {
  const q = matrix(n, n);
  const breathe = breather();
  for (let i = 0; i < n; i++) q.values[i * n + i] = 1;
  // Row i of Qᵀ is (H₀ · H₁ ⋯) times unit vector i.
  for (let i = 0; i < n; i++) {
    const x = q.values.subarray(i * n, (i + 1) * n);
    for (let k = Math.min(i - 1, n - 2); k >= 0; k--) {
      const v = a.subarray(k * n, (k + 1) * n);
      let sum = 0;
      for (let j = k + 1; j < n; j++) sum += v[j]! * x[j]!;
      for (let j = k + 1; j < n; j++) x[j]! -= sum * v[j]!;
    }
    await breathe();
  }
  return q;
}
