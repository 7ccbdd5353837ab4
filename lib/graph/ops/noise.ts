// Dropout and its relatives as ops; layers are their public form. Numbers by Philox (key, step, element).
import { call } from '../call.js';
import type { Unary } from '../signatures.js';
import type { SymbolicSparse } from '../sparse.js';
import type { SymbolicTensor } from '../symbolic.js';

/** Zeroes elements with probability `rate` and divides the others by 1 − rate. */
export const dropout = ((x, attributes: { rate: number; key: number }) =>
  call('dropout', [x], { ...attributes })) as Unary<[attributes: { rate: number; key: number }]>;

/** x · (1 + √(rate / (1 − rate)) · z), z standard normal. */
export const gaussianDropout = ((x, attributes: { rate: number; key: number }) =>
  call('gaussianDropout', [x], { ...attributes })) as Unary<[attributes: { rate: number; key: number }]>;

/** x + stddev · z, z standard normal. */
export const gaussianNoise = ((x, attributes: { stddev: number; key: number }) =>
  call('gaussianNoise', [x], { ...attributes })) as Unary<[attributes: { stddev: number; key: number }]>;

/** The values of sparse rows as dropout of the dense matrix leaves them: its zeros stay zeros. */
export function sparseDropout(
  { indptr, indices, values, columns }: SymbolicSparse,
  attributes: { rate: number; key: number },
): SymbolicTensor {
  return call('sparseDropout', [indptr, indices, values], { ...attributes, columns }) as SymbolicTensor;
}
