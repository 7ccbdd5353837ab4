// The ends of the spectrum of a symmetric matrix that is known by its products with vectors.
import type { Tensor } from '../tensor/tensor.js';
import { tridiagonalSpectrum } from './tridiagonal.js';
import type { Vectors } from './vectors.js';

export interface Extremes {
  largest: number;
  smallest: number;
  /** ‖Hv − λv‖ of the largest and the smallest: an eigenvalue lies at most that far away. */
  residuals: [largest: number, smallest: number];
  /** Products with vectors. */
  iterations: number;
  /** Both residuals are within the tolerance, or the whole space was searched. */
  converged: boolean;
}

export interface Search {
  /** Most products with vectors. */
  iterations: number;
  /** Of residuals, relative to the eigenvalue of largest magnitude. */
  tolerance: number;
}

type Multiply = (vector: Tensor) => Promise<Tensor>;

/** Rounding of float32 products, relative to the matrix: what is left below it is nothing. */
const kNothing = 1e-6;

/** Products that are made before residuals are believed: of few vectors, some may be small by chance. */
const kLeast = 8;

/**
 * Lanczos's method with full reorthogonalisation, which keeps all vectors: 4 · size · iterations bytes. The tridiagonal matrix is
 * solved in double.
 *
 * @param start of norm 1; disposed of
 * @see Golub and Van Loan, Matrix Computations, 10.3
 */
export async function lanczos(multiply: Multiply, start: Tensor, vectors: Vectors, search: Search): Promise<Extremes> {
  const basis = [start];
  const diagonal: number[] = [];
  const beside: number[] = [];
  const most = Math.min(search.iterations, start.size);
  try {
    for (;;) {
      const q = basis[basis.length - 1];
      const product = await multiply(q);
      const along = await vectors.dot(q, product);
      diagonal.push(along);
      // The recurrence takes almost all of what is to go, so that cleaning once mostly does.
      const part = await vectors.combine(product, -along, q);
      const local = basis.length > 1 ? await vectors.combine(part, -beside.at(-1)!, basis.at(-2)!) : part;
      const { vector: rest, norm: length } = await vectors.orthogonal(local, basis);
      for (const vector of [product, part, local]) vector.dispose();
      const { values, last } = tridiagonalSpectrum(diagonal, beside);
      const [smallest, largest] = [values[0], values[values.length - 1]];
      const scale = Math.max(Math.abs(smallest), Math.abs(largest));
      const residual = (entry: number) => length * Math.abs(entry);
      const residuals: Extremes['residuals'] = [residual(last[last.length - 1]), residual(last[0])];
      const exhausted = !(length > kNothing * scale) || diagonal.length === start.size;
      const found = diagonal.length >= kLeast && Math.max(...residuals) <= search.tolerance * scale;
      if (exhausted || found || diagonal.length === most) {
        rest.dispose();
        return { largest, smallest, residuals, iterations: diagonal.length, converged: exhausted || found };
      }
      beside.push(length);
      basis.push(await vectors.scale(rest, 1 / length));
      rest.dispose();
    }
  } finally {
    for (const vector of basis) vector.dispose();
  }
}

/**
 * Power iteration: first for the eigenvalue of largest magnitude, then, with the matrix shifted by it, for the other end. Three vectors,
 * whatever the iterations, but many more of those than Lanczos's method where eigenvalues lie close together.
 *
 * @param start of norm 1; disposed of
 */
export async function power(multiply: Multiply, start: Tensor, vectors: Vectors, search: Search): Promise<Extremes> {
  const half = { ...search, iterations: Math.ceil(search.iterations / 2) };
  const copy = await vectors.scale(start, 1);
  const first = await dominant(multiply, start, vectors, half, 0);
  const scale = Math.abs(first.value);
  const second = await dominant(multiply, copy, vectors, half, first.value, scale);
  const [above, below] = first.value >= second.value ? [first, second] : [second, first];
  return {
    largest: above.value,
    smallest: below.value,
    residuals: [above.residual, below.residual],
    iterations: first.iterations + second.iterations,
    converged: first.converged && second.converged,
  };
}

/** The eigenvalue farthest from `shift`. */
async function dominant(
  multiply: Multiply,
  start: Tensor,
  vectors: Vectors,
  { iterations, tolerance }: Search,
  shift: number,
  scale = 0,
): Promise<{ value: number; residual: number; iterations: number; converged: boolean }> {
  let v = start;
  for (let i = 1; ; i++) {
    const product = await multiply(v);
    const shifted = await vectors.combine(product, -shift, v);
    product.dispose();
    const value = await vectors.dot(v, shifted);
    const off = await vectors.combine(shifted, -value, v);
    const residual = await vectors.norm(off);
    off.dispose();
    const length = await vectors.norm(shifted);
    v.dispose();
    const converged = !(residual > tolerance * Math.max(scale, Math.abs(value + shift))) || !(length > 0);
    if ((converged && i >= Math.min(kLeast, iterations)) || i === iterations) {
      shifted.dispose();
      return { value: value + shift, residual, iterations: i, converged };
    }
    v = length > 0 ? await vectors.scale(shifted, 1 / length) : await vectors.scale(shifted, 1);
    shifted.dispose();
  }
}
