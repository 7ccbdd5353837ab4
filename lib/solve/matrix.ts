// Matrices in double, row by row, for exact solutions.
import { breather } from '../breather.js';
import { DownhillError } from '../errors.js';
import { type TensorLike, toSource } from '../tensor/convert.js';
import { shapeText } from '../tensor/shape.js';

/** values[i · columns + j] */
export interface Matrix {
  readonly rows: number;
  readonly columns: number;
  readonly values: Float64Array;
}

export const matrix = (rows: number, columns: number): Matrix => ({
  rows,
  columns,
  values: new Float64Array(rows * columns),
});

/** Data [n, columns], or with `vector` also [n], as a matrix of finite numbers; throws SHAPE_MISMATCH, NON_FINITE, EMPTY_DATA. */
export function toMatrix(what: string, data: TensorLike, vector = false): Matrix {
  const source = toSource(what, data);
  const { shape } = source;
  if (shape.includes(0))
    throw new DownhillError('EMPTY_DATA', `${what} has no values: its shape is ${shapeText(shape)}.`);
  if (shape.length !== 2 && !(vector && shape.length === 1))
    throw new DownhillError(
      'SHAPE_MISMATCH',
      `${what} must be a matrix, [rows, columns]${vector ? ', or one value a row' : ''}; received shape ${shapeText(shape)}.` +
        (shape.length === 1 ? ' Give nested arrays, or tensor(values, [rows, columns]).' : ''),
    );
  const values = Float64Array.from(source.tensor ? source.tensor.dataSync() : source.values);
  const wrong = values.findIndex((value) => !Number.isFinite(value));
  if (wrong >= 0)
    throw new DownhillError('NON_FINITE', `${what} must be finite; element ${wrong} is ${values[wrong]}.`);
  return { rows: shape[0]!, columns: shape[1] ?? 1, values };
}

/** The mean of each column. */
export function columnMeans({ rows, columns, values }: Matrix): Float64Array {
  const means = new Float64Array(columns);
  for (let i = 0; i < values.length; i++) means[i % columns]! += values[i]!;
  return means.map((sum) => sum / rows);
}

/** Subtracts means[j] from column j, in place. */
export function subtract({ columns, values }: Matrix, means: Float64Array): void {
  for (let i = 0; i < values.length; i++) values[i]! -= means[i % columns]!;
}

/** aᵀb (a.columns, b.columns), summed row by row. */
export async function transposedProduct(a: Matrix, b: Matrix): Promise<Matrix> {
  const result = matrix(a.columns, b.columns);
  const breathe = breather();
  for (let row = 0; row < a.rows; row++) {
    const right = b.values.subarray(row * b.columns, (row + 1) * b.columns);
    for (let i = 0; i < a.columns; i++) {
      const factor = a.values[row * a.columns + i]!;
      if (factor === 0) continue;
      const at = i * b.columns;
      for (let j = 0; j < right.length; j++) result.values[at + j]! += factor * right[j]!;
    }
    await breathe();
  }
  return result;
}

/** aᵀa, whose upper triangle is computed and mirrored. */
export async function gram(a: Matrix): Promise<Matrix> {
  const n = a.columns;
  const result = matrix(n, n);
  const breathe = breather();
  for (let row = 0; row < a.rows; row++) {
    const x = a.values.subarray(row * n, (row + 1) * n);
    for (let i = 0; i < n; i++) {
      const factor = x[i]!;
      if (factor === 0) continue;
      const at = i * n;
      for (let j = i; j < n; j++) result.values[at + j]! += factor * x[j]!;
    }
    await breathe();
  }
  for (let i = 0; i < n; i++) for (let j = 0; j < i; j++) result.values[i * n + j] = result.values[j * n + i]!;
  return result;
}
