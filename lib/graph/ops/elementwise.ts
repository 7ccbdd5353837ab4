// Elementwise arithmetic and comparisons. Operands broadcast as in NumPy; numbers take the dtype of their partner.
import { DownhillError } from '../../errors.js';
import { call } from '../call.js';
import type { Binary, Ternary, Unary } from '../signatures.js';

export function unary(op: string): Unary {
  return ((x) => call(op, [x])) as Unary;
}

export function binary(op: string): Binary {
  return ((a, b) => call(op, [a, b])) as Binary;
}

/** a + b. int32 or float32. */
export const add = binary('add');
/** a − b. int32 or float32. */
export const sub = binary('sub');
/** a · b. int32 or float32. */
export const mul = binary('mul');
/** a / b, in float32. */
export const div = binary('div');
/** a to the power b, in float32. */
export const pow = binary('pow');
/** The larger of a and b; NaN where either is. */
export const maximum = binary('maximum');
/** The smaller of a and b; NaN where either is. */
export const minimum = binary('minimum');

/** 1 where a = b, else 0; int32. */
export const equal = binary('equal');
/** 1 where a ≠ b, else 0; int32. */
export const notEqual = binary('notEqual');
/** 1 where a < b, else 0; int32. */
export const less = binary('less');
/** 1 where a ≤ b, else 0; int32. */
export const lessEqual = binary('lessEqual');
/** 1 where a > b, else 0; int32. */
export const greater = binary('greater');
/** 1 where a ≥ b, else 0; int32. */
export const greaterEqual = binary('greaterEqual');

/** −x. */
export const neg = unary('neg');
/** |x|; gradient 0 at 0. */
export const abs = unary('abs');
/** −1, 0 or 1 by the sign of x; gradient 0. */
export const sign = unary('sign');
/** x². */
export const square = unary('square');
/** e to the power x. */
export const exp = unary('exp');
/** Natural logarithm. */
export const log = unary('log');
/** √x. */
export const sqrt = unary('sqrt');
/** 1/√x. */
export const rsqrt = unary('rsqrt');
/** Error function, 2/√π ∫₀ˣ exp(−t²) dt. */
export const erf = unary('erf');

/**
 * x limited to [low, high]; the gradient passes where x lies inside. Bounds are numbers, ±Infinity for none.
 *
 * @throws INVALID_ARGUMENT unless low ≤ high
 */
export const clip = ((x, low: number, high: number) => {
  if (!(low <= high))
    throw new DownhillError('INVALID_ARGUMENT', `ops.clip: expected numbers low ≤ high; received ${low} and ${high}.`);
  return call('clip', [x], { low, high });
}) as Unary<[low: number, high: number]>;

/** a where condition ≠ 0, else b. All three broadcast; gradients go to a and b. */
export const where = ((condition, a, b) => call('where', [condition, a, b], {}, [a, b])) as Ternary;
