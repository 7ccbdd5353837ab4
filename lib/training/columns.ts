// Data as columns for the native loader: shapes are checked against the model, values are taken as they are.
import { binding, type Dataset, type DType, type NumericArray, type Storage } from '../binding/index.js';
import { SparseRows } from '../data/sparse-rows.js';
import { DownhillError, show } from '../errors.js';
import { elementShape } from '../losses/loss.js';
import type { LossMeasure } from '../losses/measure.js';
import type { ByPort, Port } from '../model/ports.js';
import { checkFits, type Source, type TensorLike, toSource } from '../tensor/convert.js';
import { type Shape, sameShape, shapeText, sizeOf } from '../tensor/shape.js';
import { storageOf } from '../tensor/tensor.js';
import type { Compiled } from './compiled.js';
import type { Network } from './network.js';

/** Data that a model takes: typed arrays, nested arrays, Tensors. */
export type DataLike = TensorLike;

/** What a model takes as inputs. */
export type InputLike = DataLike | SparseRows;

/** Targets of all outputs; of those without loss and metric they may be missing. */
export type Targets = ByPort<DataLike | null>;

/** Shape and dtype of one row. */
export interface RowType {
  shape: Shape;
  dtype: DType;
}

export interface Column extends RowType {
  name: string;
  source: Source;
  /** Typed arrays have no shape of their own: theirs is implied by the model. */
  rows: number;
  /** In place of the source's values. */
  sparse?: SparseRows;
}

/** The columns of a data set, by what they are for: the inputs of programs, in this order. */
export interface Columns {
  inputs: readonly Column[];
  /** By output; null where nothing needs one. */
  targets: readonly (Column | null)[];
  /** Weights of rows, by output; null where each row counts once. */
  weights: readonly (Column | null)[];
}

export function inOrder({ inputs, targets, weights }: Columns): Column[] {
  return [...inputs, ...targets, ...weights].filter((column) => column !== null);
}

interface Taken {
  source: Source;
  /** A typed array, whose shape the model implies. */
  flat: boolean;
}

export function take(name: string, data: unknown): Taken {
  if (data === undefined || data === null)
    throw new DownhillError(
      'INVALID_ARGUMENT',
      `${name} is missing: expected a Tensor, a typed array or a nested array; received ${show(data)}.`,
    );
  return { source: toSource(name, data), flat: ArrayBuffer.isView(data) };
}

function mismatch(message: string): DownhillError {
  return new DownhillError('SHAPE_MISMATCH', message);
}

const batchOf = (shape: Shape) => `[n${shape.map((dim) => `, ${dim}`).join('')}]`;

/** Equal, or equal but for a last axis of length 1. */
function fits(given: Shape, expected: Shape): boolean {
  if (sameShape(given, expected)) return true;
  if (given.at(-1) === 1 && sameShape(given.slice(0, -1), expected)) return true;
  return expected.at(-1) === 1 && sameShape(given, expected.slice(0, -1));
}

/** Number of rows of a flat array; throws unless it is whole. */
function rowsOfFlat(name: string, length: number, shape: Shape): number {
  const width = sizeOf(shape);
  if (length % width !== 0)
    throw mismatch(
      `${name} must fill rows of shape ${shapeText(shape)}, ${width} values each; received ${length} values.`,
    );
  return length / width;
}

function checkRows(name: string, rows: number): void {
  if (rows === 0) throw new DownhillError('EMPTY_DATA', `${name} has no rows; at least one is needed.`);
}

function sparseColumn(network: Network, sparse: SparseRows, name: string): Column {
  const [rows, columns] = sparse.shape;
  checkRows(name, rows);
  const { all } = network.inputPorts;
  if (all.length > 1)
    throw new DownhillError(
      'UNSUPPORTED',
      `${name}: a model with ${all.length} inputs cannot take sparse rows. Pass dense rows: ${name}.toDense().`,
    );
  if (!network.built) network.build([columns]);
  const { shape, dtype } = network.inputPorts.all[0];
  if (!sameShape(shape, [columns]) || dtype !== 'float32')
    throw mismatch(
      `${name} must have shape ${batchOf(shape)} and dtype ${dtype}, as the model's input; received sparse rows ${shapeText(sparse.shape)} of float32.`,
    );
  const source: Source = { tensor: null, values: sparse.values, shape: sparse.shape, dtype };
  return { name, source, shape, dtype, rows, sparse };
}

/** The inputs of a model; builds a model that has no input shape yet. */
export function inputColumns(network: Network, data: unknown, name = 'x'): Column[] {
  const { inputPorts } = network;
  const columns = inputPorts
    .spread(name, data)
    .map((values, i) => inputColumn(network, i, values, inputPorts.label(name, i)));
  const other = columns.find(({ rows }) => rows !== columns[0].rows);
  if (other)
    throw mismatch(
      `All inputs must have as many rows; ${columns[0].name} has ${columns[0].rows}, ${other.name} has ${other.rows}.`,
    );
  return columns;
}

function inputColumn(network: Network, i: number, data: unknown, name: string): Column {
  if (data instanceof SparseRows) return sparseColumn(network, data, name);
  const { source, flat } = take(name, data);
  if (!network.built) {
    if (flat || source.shape.length === 0)
      throw new DownhillError(
        'NOT_BUILT',
        `The model has no input shape, so the rows of ${name} are unknown. Give inputShape to the first layer, or ${name} as a Tensor.`,
      );
    network.build(source.shape.slice(1));
  }
  const { shape, dtype } = network.inputPorts.all[i];
  if (flat) {
    const rows = rowsOfFlat(name, source.shape[0], shape);
    checkRows(name, rows);
    return { name, source, shape, dtype, rows };
  }
  if (source.shape.length > 0 && source.shape[0] === 0) checkRows(name, 0);
  if (source.shape.length === 0 || !fits(source.shape.slice(1), shape))
    throw mismatch(
      `${name} must have shape ${batchOf(shape)}, as the model's input; received ${shapeText(source.shape)}.`,
    );
  return { name, source, shape, dtype, rows: source.shape[0] };
}

/** The shape of one target, for a loss that wants outputs or labels; undefined where the loss takes whatever is given. */
export function wantedTarget({ shape }: Port, loss: LossMeasure | null): RowType | undefined {
  if (loss?.targets === 'labels') return { shape: elementShape(loss.label, shape, loss.axis), dtype: 'int32' };
  if (loss?.targets === 'output') return { shape, dtype: 'float32' };
  return undefined;
}

function hintFor({ shape }: Port, loss: LossMeasure | null, rows: number, count: number): string {
  if (loss?.targets === 'output' && count === rows && sizeOf(shape) > 1)
    return ' For integer labels use data.toCategorical(y, classes) or a sparse loss.';
  if (loss?.targets === 'labels' && count === rows * sizeOf(shape))
    return ' For one-hot targets use the categorical loss.';
  return '';
}

/** The targets of all outputs, for `rows` rows of inputs. */
export function targetColumns(
  network: Network,
  compiled: Compiled,
  data: unknown,
  rows: number,
  name = 'y',
): (Column | null)[] {
  const { outputPorts } = network;
  const given = compiled.step && data !== undefined ? outputPorts.spread(name, data, () => false) : [];
  const needs = (i: number) => compiled.needsTarget(i) || (given[i] !== undefined && given[i] !== null);
  if (compiled.step && data === undefined) return outputPorts.all.map(() => null);
  return outputPorts
    .spread(name, data, needs)
    .map((values, i) =>
      needs(i)
        ? targetColumn(
            outputPorts.all[i],
            compiled.losses[i],
            compiled.step !== null,
            values,
            rows,
            outputPorts.label(name, i),
          )
        : null,
    );
}

/** `own`: for a step of the user's own, which has no loss. */
function targetColumn(
  port: Port,
  loss: LossMeasure | null,
  own: boolean,
  data: unknown,
  rows: number,
  name: string,
): Column {
  const { source, flat } = take(name, data);
  const count = sizeOf(source.shape);
  const wanted = wantedTarget(port, loss) ?? freeTarget(port, source, flat, rows);
  const expected = batchOf(wanted.shape);
  const hint = () =>
    own ? ' Give targets of another shape as a Tensor or nested arrays.' : hintFor(port, loss, rows, count);
  const use = loss ? ` for the loss "${loss.label}"` : own ? ' or [n], as a flat array' : ' for its metrics';
  if (
    flat ? count % sizeOf(wanted.shape) !== 0 : source.shape.length === 0 || !fits(source.shape.slice(1), wanted.shape)
  )
    throw mismatch(
      `${name} must have shape ${expected}${use}; received ${flat ? `${count} values for ${rows} rows` : shapeText(source.shape)}.${hint()}`,
    );
  const found = flat ? count / sizeOf(wanted.shape) : source.shape[0];
  if (found !== rows)
    throw mismatch(
      `x has ${rows} rows, but ${name} has ${found} of shape ${expected.replace('n', `${found}`)}; they must have as many.${hint()}`,
    );
  return { name, source, rows, ...wanted };
}

/** For losses of the user's own: the targets as they are; a typed array is one value per row or like the output. */
function freeTarget(port: Port, source: Source, flat: boolean, rows: number): RowType {
  const dtype = source.dtype;
  if (!flat) return { shape: source.shape.slice(1), dtype };
  const oneEach = source.shape[0] === rows && sizeOf(port.shape) !== 1;
  return { shape: oneEach ? [] : port.shape, dtype };
}

/** The columns in native memory. `check`: throw NON_FINITE, naming column and row, for NaN and infinity. */
export function datasetOf(columns: readonly Column[], check: boolean): Dataset {
  const sources = columns.map(
    ({ name, source, shape, dtype, sparse }): Parameters<typeof binding.datasetNew>[0][number] => {
      if (sparse) {
        const { indptr, indices, values } = sparse;
        return { name, sparse: { indptr, indices, values }, width: sizeOf(shape), dtype };
      }
      if (!check && source.values) checkFits(name, source.values, dtype);
      const data: NumericArray | Storage = source.tensor ? storageOf(source.tensor) : source.values;
      const dense = { name, data, width: sizeOf(shape), dtype };
      return source.tensor ? { ...dense, storageDtype: source.dtype } : dense;
    },
  );
  return binding.datasetNew(sources, columns[0].rows, check);
}

/** What to do about numbers that are not finite. */
export type OnNonFinite = 'error' | 'warn' | 'ignore';

/** As datasetOf, with a warning in place of the error, or neither. */
export function datasetFor(columns: readonly Column[], onNonFinite: OnNonFinite): Dataset {
  if (onNonFinite === 'ignore') return datasetOf(columns, false);
  try {
    return datasetOf(columns, true);
  } catch (error) {
    if (onNonFinite !== 'warn' || !(error instanceof DownhillError) || error.code !== 'NON_FINITE') throw error;
    process.emitWarning(error.message, 'DownhillWarning');
    return datasetOf(columns, false);
  }
}
