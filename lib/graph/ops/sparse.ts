// Products with sparse rows.
import { Options } from '../../options.js';
import { call } from '../call.js';
import type { Result } from '../signatures.js';
import type { SymbolicTensor } from '../symbolic.js';
import type { Value } from '../trace.js';
import type { Tensor } from '../../tensor/tensor.js';
import type { TensorLike } from '../../tensor/convert.js';
import { integers } from './movement.js';

export interface SparseMatmulOptions {
  /** Multiply with the transpose of the sparse matrix; false by default. */
  transposeA?: boolean;
  /** Columns of the sparse matrix; needed with transposeA, otherwise those that b has rows. */
  columns?: number;
}

interface SparseMatmul {
  (indptr: TensorLike, indices: TensorLike, values: TensorLike, b: TensorLike, options?: SparseMatmulOptions): Tensor;
  (indptr: Value, indices: Value, values: Value, b: SymbolicTensor, options?: SparseMatmulOptions): SymbolicTensor;
  (indptr: Value, indices: Value, values: SymbolicTensor, b: Value, options?: SparseMatmulOptions): SymbolicTensor;
  (indptr: Value, indices: Value, values: Value, b: Value, options?: SparseMatmulOptions): Result;
}

/**
 * Product of a sparse matrix A with b: A (rows, columns) · b (columns, n), or Aᵀ · b (rows, n). Row i of A has the values from indptr[i] up
 * to indptr[i + 1] (CSR); it costs what these cost.
 *
 * @param indptr int32 [rows + 1]
 * @param indices int32, the column of each value, ascending within a row; equal ones add up
 * @throws SHAPE_MISMATCH; OUT_OF_RANGE when run
 * @example ops.sparseMatmul([0, 1, 3], [2, 0, 2], [1, 2, 3], w); // rows [0, 0, 1] and [2, 0, 3]
 */
export const sparseMatmul = ((
  indptr: Value,
  indices: Value,
  values: Value,
  b: Value,
  options?: SparseMatmulOptions,
) => {
  const where = 'ops.sparseMatmul';
  const read = new Options<SparseMatmulOptions>(where, options, ['transposeA', 'columns']);
  const operands = [integers(`${where}: indptr`, indptr), integers(`${where}: indices`, indices), values, b];
  const columns = read.optionalCount('columns', { min: 0 });
  return call('sparseMatmul', operands, {
    transposeA: read.flag('transposeA', false),
    ...(columns !== undefined && { columns }),
  });
}) as SparseMatmul;
