// Reductions over axes. No axis: over all. Negative axes count from the end.
import { DownhillError, show } from '../../errors.js';
import { checkFlag, Options } from '../../options.js';
import { asTensor } from '../../tensor/make.js';
import { call } from '../call.js';
import type { Result, Unary } from '../signatures.js';
import { SymbolicTensor } from '../symbolic.js';
import { type Attributes, currentTrace, type Value } from '../trace.js';

export type Axes = number | readonly number[];

export interface ReductionOptions {
  /** Keep reduced axes with length 1; false by default. */
  keepDims?: boolean;
}

export type Reduction = Unary<[axis?: Axes | null, options?: ReductionOptions]>;

export function checkAxis(where: string, axis: unknown): number {
  if (typeof axis === 'number' && Number.isInteger(axis)) return axis;
  throw new DownhillError('INVALID_ARGUMENT', `${where}: axis must be an integer; received ${show(axis)}.`);
}

function checkAxes(where: string, axis: Axes): number[] {
  const axes = Array.isArray(axis) ? (axis as readonly number[]) : [axis];
  if (axes.length === 0)
    throw new DownhillError(
      'INVALID_ARGUMENT',
      `${where}: the list of axes is empty. Give at least one axis, or none at all to reduce over all.`,
    );
  return axes.map((item) => checkAxis(where, item));
}

function keepDimsOf(where: string, options: ReductionOptions | undefined): boolean {
  const read = new Options<ReductionOptions>(where, options, ['keepDims']);
  return checkFlag(`${where}: keepDims`, read.raw.keepDims ?? false);
}

function reduction(op: string): Reduction {
  return ((x: Value, axis?: Axes | null, options?: ReductionOptions) => {
    const attributes: Attributes = { keepDims: keepDimsOf(`ops.${op}`, options) };
    if (axis !== undefined && axis !== null) attributes.axes = checkAxes(`ops.${op}`, axis);
    return call(op, [x], attributes);
  }) as Reduction;
}

/** Sum over axes. */
export const sum = reduction('sum');
/** Mean over axes, in float32. */
export const mean = reduction('mean');
/** Largest value over axes; NaN where there is one. The gradient is shared by equal maxima. */
export const max = reduction('max');
/** Smallest value over axes; NaN where there is one. The gradient is shared by equal minima. */
export const min = reduction('min');
/** Mean squared deviation from the mean over axes (divides by n). */
export const variance = reduction('variance');
/** Euclidean norm over axes, √Σx². */
export const norm = reduction('norm');

/**
 * Index of the first largest value along an axis, int32; NaN counts as largest. Without an axis, the index in the flattened
 * value. No gradient.
 */
export const argmax = ((x: Value, axis?: number | null, options?: ReductionOptions): Result => {
  const keepDims = keepDimsOf('ops.argmax', options);
  const value = shaped('ops.argmax', x);
  const rank = value.shape.length;
  if (axis === undefined || axis === null) {
    const index = call('argmax', [call('reshape', [value], { shape: [value.shape.reduce((n, d) => n * d, 1)] })], {
      axis: 0,
    });
    return keepDims ? call('reshape', [index], { shape: value.shape.map(() => 1) }) : index;
  }
  const at = checkAxis('ops.argmax', axis);
  const index = call('argmax', [value], { axis: at });
  if (!keepDims) return index;
  const kept = at < 0 ? at + rank : at;
  return call('reshape', [index], { shape: value.shape.map((dim, i) => (i === kept ? 1 : dim)) });
}) as Unary<[axis?: number | null, options?: ReductionOptions]>;

/** log Σ exp(x) along an axis, by default the last; safe for large values. */
export const logSumExp = ((x: Value, axis = -1, options?: ReductionOptions): Result => {
  const keepDims = keepDimsOf('ops.logSumExp', options);
  return call('logSumExp', [x], { axes: [checkAxis('ops.logSumExp', axis)], keepDims });
}) as Unary<[axis?: number, options?: ReductionOptions]>;

/** A value with a shape: symbolic as it is, anything else as a Tensor. */
export function shaped(where: string, x: Value): Result {
  if (x instanceof SymbolicTensor) return x;
  const tensor = asTensor(where, x);
  return currentTrace()?.capture(tensor) ?? tensor;
}
