// Rows that are mostly zeros, kept as their other values: compressed sparse rows.
import { binding } from '../binding/index.js';
import { DownhillError, show } from '../errors.js';
import { checkCount, checkOneOf, checkShape, Options } from '../options.js';
import { checkSeed, drawSeed } from '../random.js';
import { type Tensor, tensor } from '../tensor/index.js';
import { shapeText } from '../tensor/shape.js';

export interface SparseRowsOptions {
  /** [rows, columns] */
  shape: readonly number[];
  /** Of length rows + 1: row i has the values from indptr[i] up to indptr[i + 1]. */
  indptr: Int32Array;
  /** Column of each value. */
  indices: Int32Array;
  values: Float32Array;
}

export interface SparseBatchesOptions {
  /** Rows per batch, 32 by default; the last one may have fewer. */
  batchSize?: number;
  /** An order of its own for each pass (true, the default), one for all ('once'), or that of the rows (false). */
  shuffle?: boolean | 'once';
  /** By default drawn from the library's seed. */
  seed?: number;
}

/** Batches [x, y] of dense rows, one array for each, as `fit` takes them. */
export type DenseBatches<Y> = Iterable<[x: Float32Array, y: Y]>;

/**
 * A matrix as the values that are not 0, row by row (CSR). 10,000 words of 5,000 mails are 200 MB as a dense matrix, and some 6 MB like this.
 *
 * A model that begins with a dense layer, or with dropout and a dense layer, takes it in place of dense rows, at the cost of the values that are not 0:
 * fit, evaluate, predict, trainOnBatch, validationData, and batches of an iterable.
 *
 * @throws SHAPE_MISMATCH, OUT_OF_RANGE for parts that do not fit together
 * @example
 * const x = data.bagOfWords(train.x).transform(train.x);
 * await net.fit(x, train.y, { batchSize: 128, epochs: 5 });
 */
export class SparseRows {
  readonly shape: readonly [rows: number, columns: number];
  readonly indptr: Int32Array;
  readonly indices: Int32Array;
  readonly values: Float32Array;

  constructor(options: SparseRowsOptions) {
    const read = new Options<SparseRowsOptions>('data.SparseRows', options, ['shape', 'indptr', 'indices', 'values']);
    const shape = checkShape(read.what('shape'), read.required('shape'));
    if (shape.length !== 2)
      throw new DownhillError(
        'SHAPE_MISMATCH',
        `${read.what('shape')} must be [rows, columns]; received ${shapeText(shape)}.`,
      );
    this.shape = [shape[0]!, shape[1]!];
    this.indptr = array(read.what('indptr'), read.required('indptr'), Int32Array);
    this.indices = array(read.what('indices'), read.required('indices'), Int32Array);
    this.values = array(read.what('values'), read.required('values'), Float32Array);
    this.#check(read.where);
  }

  #check(where: string): void {
    const [rows, columns] = this.shape;
    const { indptr, indices, values } = this;
    if (indptr.length !== rows + 1 || indices.length !== values.length)
      throw new DownhillError(
        'SHAPE_MISMATCH',
        `${where}: ${rows} rows need ${rows + 1} entries of indptr, and each value an index; received ${indptr.length}, ` +
          `${indices.length} indices and ${values.length} values.`,
      );
    if (indptr[0] !== 0 || indptr[rows] !== values.length || indptr.some((start, i) => i > 0 && start < indptr[i - 1]!))
      throw new DownhillError(
        'OUT_OF_RANGE',
        `${where}: indptr must ascend from 0 to the number of values, ${values.length}.`,
      );
    const wrong = indices.findIndex((column) => column < 0 || column >= columns);
    if (wrong >= 0)
      throw new DownhillError(
        'OUT_OF_RANGE',
        `${where}: indices must lie from 0 to ${columns - 1}; element ${wrong} is ${indices[wrong]}.`,
      );
  }

  /** Number of rows. */
  get length(): number {
    return this.shape[0];
  }

  /** All of it, or rows [begin, end), as a dense Tensor [rows, columns]. */
  toDense(begin = 0, end = this.length): Tensor {
    const part = this.slice(begin, end);
    return tensor(part.denseRows(Int32Array.from({ length: part.length }, (_, i) => i)), [...part.shape]);
  }

  /** Rows [begin, end), which share the memory of the values. */
  slice(begin: number, end = this.length): SparseRows {
    checkCount('slice: begin', begin, { min: 0, max: this.length });
    checkCount('slice: end', end, { min: begin, max: this.length });
    const [from, to] = [this.indptr[begin]!, this.indptr[end]!];
    return new SparseRows({
      shape: [end - begin, this.shape[1]],
      indptr: this.indptr.slice(begin, end + 1).map((start) => start - from),
      indices: this.indices.subarray(from, to),
      values: this.values.subarray(from, to),
    });
  }

  /**
   * The rows with their targets as batches for `fit` and `evaluate`: each is made dense when its turn comes. It can be walked any number of times. A
   * fit that is to be resumed from a file needs shuffle 'once', with a seed, or false: a later pass in another process would not know its number.
   *
   * @param y typed array or array with one or more values for each row
   * @throws SHAPE_MISMATCH where y does not fit; OUT_OF_RANGE, UNKNOWN_OPTION
   */
  batches<Y extends Int32Array | Float32Array | Uint8Array>(y: Y, options?: SparseBatchesOptions): DenseBatches<Y> {
    const where = 'batches';
    const read = new Options<SparseBatchesOptions>(where, options, ['batchSize', 'shuffle', 'seed']);
    const batchSize = read.count('batchSize', 32);
    const shuffle = checkOneOf(read.what('shuffle'), read.raw.shuffle ?? true, [true, false, 'once'] as const);
    const seed = read.raw.seed === undefined ? drawSeed() : checkSeed(read.what('seed'), read.raw.seed);
    if (!ArrayBuffer.isView(y) || y instanceof DataView)
      throw new DownhillError('INVALID_ARGUMENT', `${where}: y must be a typed array; received ${show(y)}.`);
    const rows = this.length;
    const width = y.length / rows;
    if (!Number.isInteger(width) || width === 0)
      throw new DownhillError(
        'SHAPE_MISMATCH',
        `${where}: y must have the same number of values for each of ${rows} rows; received ${y.length}.`,
      );
    let pass = 0;
    const orderOf = (): Int32Array =>
      shuffle === false
        ? Int32Array.from({ length: rows }, (_, i) => i)
        : Int32Array.from(binding.permutation(rows, seed, shuffle === 'once' ? 0 : pass++));
    const dense = (order: Int32Array) => this.denseRows(order);
    return {
      *[Symbol.iterator]() {
        const order = orderOf();
        for (let begin = 0; begin < rows; begin += batchSize) {
          const part = order.subarray(begin, begin + batchSize);
          const chosen = new (y.constructor as new (length: number) => Y)(part.length * width);
          part.forEach((row, i) => {
            chosen.set(y.subarray(row * width, (row + 1) * width), i * width);
          });
          yield [dense(part), chosen];
        }
      },
    };
  }

  /** Those rows, (rows, columns). @internal */
  denseRows(rows: Int32Array): Float32Array {
    const columns = this.shape[1];
    const out = new Float32Array(rows.length * columns);
    rows.forEach((row, i) => {
      const end = this.indptr[row + 1]!;
      for (let k = this.indptr[row]!; k < end; k++) out[i * columns + this.indices[k]!]! += this.values[k]!;
    });
    return out;
  }
}

function array<T>(what: string, value: unknown, type: new (...args: never[]) => T): T {
  if (value instanceof type) return value;
  throw new DownhillError('INVALID_ARGUMENT', `${what} must be a ${type.name}; received ${show(value)}.`);
}
