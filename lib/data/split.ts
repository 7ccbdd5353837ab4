// A part of the rows for training and a part for testing.
import { binding } from '../binding/index.js';
import { DownhillError, show } from '../errors.js';
import { checkCount, Options } from '../options.js';
import { checkSeed, drawSeed } from '../random.js';
import { type NestedArray, type TypedArray, toSource } from '../tensor/convert.js';
import { type Tensor as AnyTensor, Tensor, tensor } from '../tensor/index.js';
import { sizeOf } from '../tensor/shape.js';
import { checkPerRow, type Groups, groupsOf, type PerRow, rowsWhere } from './groups.js';
import { apportion, byGroup } from './holdout.js';

/** Data with a row for each example; texts are rows, too. */
export type SplitData = Tensor | TypedArray | NestedArray | readonly string[];

export interface SplitOptions {
  /** A fraction of the rows in (0, 1), or how many; 0.25 by default. */
  testSize?: number;
  /** A number or string for each row: rows with equal ones are all in one part. */
  groups?: PerRow;
  /** Gives both parts the classes in the proportions of the whole: true for those of y, or a class for each row. False by default. */
  stratify?: boolean | PerRow;
  /** Whether the rows of the test part are drawn (true, the default) or are the last ones. */
  shuffle?: boolean;
  /** By default drawn from the library's seed. */
  seed?: number;
  /** How many rows there are, where x and y are typed arrays of floats. */
  rows?: number;
}

/** Rows of the whole, in their order; what was a Tensor, a typed array or nested arrays is one again. */
export interface SplitPart<X, Y> {
  x: X extends AnyTensor ? Tensor : X;
  y: Y extends AnyTensor ? Tensor : Y;
  /** Which rows of the whole they are. */
  rows: Int32Array;
}

export interface Split<X, Y> {
  train: SplitPart<X, Y>;
  test: SplitPart<X, Y>;
}

const isFlat = (data: unknown): data is TypedArray => ArrayBuffer.isView(data) && !(data instanceof DataView);
const isFloat = (data: unknown) => data instanceof Float32Array || data instanceof Float64Array;

/** Rows of data that say it themselves; null for typed arrays. */
function knownRows(what: string, data: unknown): number | null {
  if (data instanceof Tensor && data.shape.length > 0) return data.shape[0];
  if (Array.isArray(data)) return data.length;
  if (isFlat(data)) return null;
  throw new DownhillError(
    'INVALID_ARGUMENT',
    `${what} must be a Tensor, a typed array or a nested array with a row for each example; received ${show(data)}.`,
  );
}

/** Labels are one a row; floats may be rows of any width. */
function countRows(x: unknown, y: unknown, given: (number | undefined)[]): number {
  const known = [...given, knownRows('split: x', x), y === undefined ? null : knownRows('split: y', y)].find(
    (count) => count !== null && count !== undefined,
  );
  if (known !== undefined && known !== null) return known;
  const labels = isFlat(y) && !isFloat(y) && (x as TypedArray).length > y.length ? y.length : null;
  if (labels !== null) return labels;
  throw new DownhillError(
    'INVALID_ARGUMENT',
    'split: typed arrays do not say how many rows they have. Give the option rows, or one of x and y as a Tensor or nested array.',
  );
}

function checkRows(what: string, data: unknown, rows: number): void {
  const found = knownRows(what, data);
  if (found === null ? (data as TypedArray).length % Math.max(rows, 1) === 0 : found === rows) return;
  throw new DownhillError(
    'SHAPE_MISMATCH',
    `${what} must have ${rows} rows; received ${found === null ? `${(data as TypedArray).length} values, which do not fill as many` : found}.`,
  );
}

/** The chosen rows, as the same kind of data. */
function pick(data: unknown, chosen: Int32Array, rows: number): unknown {
  if (data === undefined) return undefined;
  if (Array.isArray(data)) return Array.from(chosen, (row) => (data as unknown[])[row]);
  const from = data instanceof Tensor ? data.dataSync() : (data as TypedArray);
  const width = from.length / rows;
  const to = new (from.constructor as new (length: number) => TypedArray)(chosen.length * width);
  for (let i = 0; i < chosen.length; i++) to.set(from.subarray(chosen[i] * width, (chosen[i] + 1) * width), i * width);
  if (!(data instanceof Tensor)) return to;
  return tensor(to, [chosen.length, ...data.shape.slice(1)], data.dtype);
}

/** The class of each row of y: its value, or its whole row where targets are one-hot. */
function classesOf(y: unknown, rows: number): Groups {
  if (y === undefined)
    throw new DownhillError(
      'INVALID_ARGUMENT',
      'split: stratify: true takes the classes from y; give y, or a class for each row.',
    );
  const source = toSource('split: y', y);
  const values = source.tensor ? source.tensor.dataSync() : source.values;
  const width = sizeOf(source.shape) / rows;
  if (width === 1) return groupsOf('split: y', values);
  return groupsOf(
    'split: y',
    Array.from({ length: rows }, (_, row) => values.subarray(row * width, (row + 1) * width).join()),
  );
}

function testRows(what: string, value: unknown, rows: number): number {
  const fraction = typeof value === 'number' && value > 0 && value < 1;
  const count = fraction ? Math.round(rows * value) : checkCount(what, value);
  if (count > 0 && count < rows) return count;
  throw new DownhillError(
    'EMPTY_DATA',
    `${what} ${String(value)} of ${rows} rows leaves ${Math.max(0, rows - count)} for training and ${Math.min(count, rows)} for testing; ` +
      'each needs at least one.',
  );
}

/**
 * Splits rows into a part for training and one for testing. Rows are drawn without replacement; each part keeps their order. With
 * `stratify`, class c with n_c of n rows has n_c · test / n of them in the test part, rounded by the largest remainder. With `groups`, groups in
 * random order join the test part while that brings its size (and, stratified, the number of each class) nearer to the wanted one.
 *
 * @param x a Tensor, a typed array, nested arrays or texts, with a row for each example
 * @param y the same, or undefined; a typed array of integers is a label for each row
 * @returns { train: { x, y, rows }, test: { x, y, rows } }
 * @throws SHAPE_MISMATCH, OUT_OF_RANGE; EMPTY_DATA for a part without rows
 * @example
 * const { train, test } = data.split(x, y, { testSize: 0.2, groups: patients, seed: 1 });
 * await net.fit(train.x, train.y, { validationData: [test.x, test.y] });
 */
export function split<X extends SplitData, Y extends SplitData | undefined = undefined>(
  x: X,
  y?: Y,
  options?: SplitOptions,
): Split<X, Y> {
  const read = new Options<SplitOptions>('split', options, [
    'testSize',
    'groups',
    'stratify',
    'shuffle',
    'seed',
    'rows',
  ]);
  const { groups: groupValues, stratify: wanted } = read.raw;
  const groups = groupValues === undefined ? null : groupsOf(read.what('groups'), groupValues);
  let classes = wanted === undefined || typeof wanted === 'boolean' ? null : groupsOf(read.what('stratify'), wanted);
  const rows = countRows(x, y, [read.optionalCount('rows'), groups?.numbers.length, classes?.numbers.length]);
  checkRows('split: x', x, rows);
  if (y !== undefined) checkRows('split: y', y, rows);
  if (wanted === true) classes = classesOf(y, rows);
  if (groups) checkPerRow(read.what('groups'), groups, rows);
  if (classes) checkPerRow(read.what('stratify'), classes, rows);
  const shuffle = read.flag('shuffle', true);
  const seed = read.has('seed') ? checkSeed(read.what('seed'), read.raw.seed) : null;
  const count = testRows(read.what('testSize'), read.raw.testSize ?? 0.25, rows);
  if (!shuffle && (groups || classes))
    throw new DownhillError(
      'INVALID_ARGUMENT',
      'split: with shuffle: false the last rows are the test part; groups and stratify need shuffle: true.',
    );
  const order = (length: number) => binding.permutation(length, seed ?? drawSeed(), 0);
  const held = new Uint8Array(rows);
  if (!shuffle) held.fill(1, rows - count);
  else if (groups) byGroup(held, groups, classes, count, order(groups.sizes.length));
  else apportion(held, classes, count, order(rows));
  const part = (side: 0 | 1) => {
    const chosen = rowsWhere(rows, (row) => held[row] === side);
    return { x: pick(x, chosen, rows), y: pick(y, chosen, rows), rows: chosen } as SplitPart<X, Y>;
  };
  return { train: part(0), test: part(1) };
}
