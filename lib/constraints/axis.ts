import { DownhillError, show } from '../errors.js';
import type { Options } from '../options.js';

/** The option axis: a whole number or a list of them, 0 by default. */
export function axisOf(read: Options<{ axis?: number | readonly number[] }>): number | number[] {
  const axis: unknown = read.raw.axis ?? 0;
  const list: unknown[] = Array.isArray(axis) ? axis : [axis];
  if (list.length === 0 || !list.every(Number.isInteger))
    throw new DownhillError(
      'INVALID_ARGUMENT',
      `${read.what('axis')} must be a whole number or a list of them; received ${show(axis)}.`,
    );
  return Array.isArray(axis) ? (list as number[]) : (axis as number);
}
