// Axes that layers take as options: those of a batch [n, …], as Keras counts them.
import { DownhillError, show } from '../errors.js';
import { checkCount } from '../options.js';
import type { Shape } from '../tensor/shape.js';

/** An axis or, where there may be `several`, a list of distinct ones, never that of the batch; `fallback` where none is given. */
export function checkAxes(what: string, given: unknown, fallback: number, several = true): readonly number[] {
  const list = several && Array.isArray(given);
  const axes: unknown[] = given === undefined ? [fallback] : list ? given : [given];
  const fits = (axis: unknown) => typeof axis === 'number' && Number.isSafeInteger(axis) && axis !== 0;
  if (axes.length > 0 && axes.every(fits) && new Set(axes).size === axes.length) return axes as number[];
  throw new DownhillError(
    'INVALID_ARGUMENT',
    `${what} must be an axis of a batch [n, …], counted from 1, or from the end with −1${several ? ', or a list of different ones' : ''}; received ${show(given)}.`,
  );
}

/** One axis, or one of several, counted with that of the batch, which it must not be. */
export function checkAxis(what: string, given: unknown): number {
  const axis = checkCount(what, given, { min: -8, max: 8 });
  if (axis === 0) throw new DownhillError('OUT_OF_RANGE', `${what} must not be 0, the axis of the batch.`);
  return axis;
}

/** Counted from the front and ascending, for batches of this rank; null where one of them is none of an example's. */
export function axesOf(axes: readonly number[], rank: number): readonly number[] | null {
  const found = axes.map((axis) => (axis < 0 ? axis + rank : axis)).sort((a, b) => a - b);
  const fits = found.every((axis, i) => axis > 0 && axis < rank && axis !== found[i - 1]);
  return fits ? found : null;
}

/** The axes of a batch of this rank that are not among these. */
export function otherAxes(axes: readonly number[], rank: number): readonly number[] {
  return Array.from({ length: rank }, (_, axis) => axis).filter((axis) => !axes.includes(axis));
}

/** `shape` on these axes, and 1 on the others. */
export function onAxes(shape: Shape, axes: readonly number[]): Shape {
  return shape.map((dim, axis) => (axes.includes(axis) ? dim : 1));
}
