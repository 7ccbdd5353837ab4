// Rows that belong together, such as the samples of one patient.
import { DownhillError, show } from '../errors.js';
import { Tensor } from '../tensor/tensor.js';

/** A value for each row: a Tensor [n], a typed array or an array of numbers or strings. */
export type PerRow = Tensor | ArrayLike<number | string | bigint>;

/** Groups are numbered in the order in which they first appear. */
export interface Groups {
  /** By row. */
  numbers: Int32Array;
  /** Rows, by group. */
  sizes: number[];
}

function valuesOf(what: string, given: unknown): ArrayLike<unknown> {
  if (given instanceof Tensor && given.shape.length === 1) return given.dataSync();
  if (Array.isArray(given) || (ArrayBuffer.isView(given) && !(given instanceof DataView)))
    return given as unknown as ArrayLike<unknown>;
  throw new DownhillError(
    'INVALID_ARGUMENT',
    `${what} must be an array with a number or a string for each row; received ${show(given)}.`,
  );
}

/** Rows with equal values are of one group. */
export function groupsOf(what: string, given: unknown): Groups {
  const values = valuesOf(what, given);
  const known = new Map<unknown, number>();
  const numbers = new Int32Array(values.length);
  const sizes: number[] = [];
  for (let row = 0; row < values.length; row++) {
    const value = values[row];
    const plain = typeof value === 'number' ? !Number.isNaN(value) : /^(string|bigint)$/.test(typeof value);
    if (!plain)
      throw new DownhillError(
        'INVALID_ARGUMENT',
        `${what} must hold numbers or strings; received ${show(value)} for row ${row}.`,
      );
    let number = known.get(value);
    if (number === undefined) {
      number = known.size;
      known.set(value, number);
      sizes.push(0);
    }
    numbers[row] = number;
    sizes[number]++;
  }
  return { numbers, sizes };
}

/** Throws SHAPE_MISMATCH unless there is a value for each row. */
export function checkPerRow(what: string, { numbers }: Groups, rows: number): void {
  if (numbers.length === rows) return;
  throw new DownhillError(
    'SHAPE_MISMATCH',
    `${what} must have a value for each of the ${rows} rows; received ${numbers.length}.`,
  );
}

/** How many groups come before the last ones, whose rows come nearest to `target`; at least one stands on each side where there are two. */
export function groupsBefore(sizes: readonly number[], target: number): number {
  let first = sizes.length;
  let held = 0;
  while (first > 1 && Math.abs(held + sizes[first - 1] - target) < Math.abs(held - target)) held += sizes[--first];
  return sizes.length > 1 ? Math.min(first, sizes.length - 1) : first;
}

/** The rows that satisfy a condition, in their order. */
export function rowsWhere(rows: number, condition: (row: number) => boolean): Int32Array {
  const found = new Int32Array(rows);
  let count = 0;
  for (let row = 0; row < rows; row++) if (condition(row)) found[count++] = row;
  return found.slice(0, count);
}
