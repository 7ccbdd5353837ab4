// Dropout as an op; layers.dropout is its public form.
import { call } from '../call.js';
import type { Unary } from '../signatures.js';

/** Zeroes elements with probability `rate` and divides the others by 1 − rate; masks by Philox (key, step, element). */
export const dropout = ((x, attributes: { rate: number; key: number }) =>
  call('dropout', [x], { ...attributes })) as Unary<[attributes: { rate: number; key: number }]>;
