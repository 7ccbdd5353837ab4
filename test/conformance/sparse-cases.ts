// Products with sparse rows, beside those of the dense matrix.
import { ops } from 'downhill';
import fc from 'fast-check';
import { build, matmul, type Nd, nd, swapLast } from './nd.js';
import { type Case, type Computed, fill, generator, int32, seeds } from './problems.js';

interface Pattern {
  rows: number;
  columns: number;
  indptr: number[];
  /** Ascending within a row, now and then one twice; some of no row stand before and behind. */
  indices: number[];
}

function patternOf(rows: number, columns: number, fullness: number, seed: number): Pattern {
  const random = generator(seed);
  const draw = (below: number) => Math.floor(random() * below);
  const stray = () => (columns > 0 ? Array.from({ length: draw(4) }, () => draw(columns)) : []);
  const indices: number[] = stray();
  const indptr = [indices.length];
  for (let row = 0; row < rows; row++) {
    const count = columns > 0 ? draw(Math.ceil(columns * fullness) + 1) : 0;
    const picked = Array.from({ length: count }, () => draw(columns)).sort((a, b) => a - b);
    indices.push(...picked);
    indptr.push(indices.length);
  }
  return { rows, columns, indptr, indices: [...indices, ...stray()] };
}

function dense({ rows, columns, indptr, indices }: Pattern, values: Nd): Nd {
  const matrix = build([rows, columns], () => 0);
  const data = Float64Array.from(matrix.data);
  for (let row = 0; row < rows; row++)
    for (let k = indptr[row]!; k < indptr[row + 1]!; k++) data[row * columns + indices[k]!]! += values.data[k]!;
  return nd([rows, columns], data);
}

const rows = fc.constantFrom(0, 1, 2, 3, 7, 33, 40);
const columns = fc.constantFrom(0, 1, 2, 5, 16, 33);
const widths = fc.constantFrom(0, 1, 2, 3, 4, 7, 8, 9, 16, 17, 31, 33, 64, 65, 130, 150);

export const sparseMatmulCase: Case = {
  op: 'sparseMatmul',
  gradient: 'check',
  problems: fc
    .tuple(rows, columns, widths, fc.constantFrom(0, 0.3, 1), fc.boolean(), seeds)
    .map(([m, k, n, fullness, transposeA, seed]) => {
      const pattern = patternOf(m, k, fullness, seed);
      const [indptr, indices] = [pattern.indptr, pattern.indices].map((list) => int32(nd([list.length], list)));
      return {
        inputs: fill([[pattern.indices.length], [transposeA ? m : k, n]], 'smooth', seed + 1),
        call: ([values, b]: Computed[]) => ops.sparseMatmul(indptr!, indices!, values!, b!, { transposeA, columns: k }),
        reference: ([values, b]: Nd[]) => {
          const a = dense(pattern, values!);
          return matmul(transposeA ? swapLast(a) : a, b!);
        },
      };
    }),
};
