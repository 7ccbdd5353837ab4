// The rows that a diagnostic looks at, as batches in native memory.
import { binding, type NumericArray, type Storage } from '../binding/index.js';
import { SparseRows } from '../data/sparse-rows.js';
import { DownhillError } from '../errors.js';
import type { Model } from '../model/model.js';
import { copyOf } from '../tensor/make.js';
import { elementBytes, sizeOf } from '../tensor/shape.js';
import { Tensor } from '../tensor/tensor.js';
import { type Column, datasetOf, inOrder, inputColumns, targetColumns } from '../training/columns.js';
import type { Compiled } from '../training/compiled.js';
import { type RowTypes, typesOf } from '../training/programs.js';
import { type TrainWeightOptions, weighted } from '../training/sample-weights.js';
import type { TrainingBatch } from '../training/trainer.js';

export interface Batch {
  /** One storage per column: x, y, and weights where there are any. */
  inputs: readonly Storage[];
  rows: number;
  /** Counted from 0: dropout draws other masks in each. */
  index: number;
}

/** What compile() fixed; throws NOT_COMPILED. */
export function compiledOf(where: string, net: Model): Compiled {
  if (net.compiled) return net.compiled;
  throw new DownhillError(
    'NOT_COMPILED',
    `${where}: the model has no optimizer and loss yet. Call net.compile({ optimizer: "sgd", loss: … }) first.`,
  );
}

type Typed = Pick<Column, 'name' | 'shape' | 'dtype'>;

export class Data {
  private constructor(
    readonly rows: number,
    readonly types: RowTypes,
    readonly columns: readonly Typed[],
    readonly values: readonly (NumericArray | SparseRows)[],
  ) {}

  /** Checks x, y and weights against the model and its loss. Throws SHAPE_MISMATCH, EMPTY_DATA, NON_FINITE. */
  static async of(
    where: string,
    net: Model,
    compiled: Compiled,
    x: unknown,
    y: unknown,
    { sampleWeight, classWeight }: TrainWeightOptions = {},
  ): Promise<Data> {
    const inputs = inputColumns(net, x);
    const { rows } = inputs[0];
    const targets = targetColumns(net, compiled, y, rows);
    const parts = weighted(net, compiled, { inputs, targets }, { sampleWeight, classWeight, where });
    const columns = inOrder(parts);
    datasetOf(columns, true);
    const values = columns.map(({ source, sparse }) => sparse ?? source.values ?? source.tensor.data());
    return new Data(rows, typesOf(parts), columns, await Promise.all(values));
  }

  /** The rows of a training step. */
  static ofBatch(net: Model, { inputs, types, sparse }: TrainingBatch): Data {
    const named = (name: string, list: RowTypes['targets']) =>
      list.flatMap((type) => (type ? [{ name, ...type }] : []));
    const columns = [
      ...net.inputPorts.all.map(({ shape, dtype }) => ({ name: 'x', shape, dtype })),
      ...named('y', types.targets),
      ...named('sampleWeight', types.weights),
    ];
    if (sparse) {
      const [indptr, indices] = [0, 1].map((i) => binding.storageRead(inputs[i], 'int32') as Int32Array);
      const values = binding.storageRead(inputs[2], 'float32') as Float32Array;
      const x = new SparseRows({ shape: [indptr.length - 1, sizeOf(net.inputShape)], indptr, indices, values });
      const rest = columns.slice(1).map(({ dtype }, i) => binding.storageRead(inputs[i + 3], dtype));
      return new Data(x.length, types, columns, [x, ...rest]);
    }
    const values = columns.map(({ dtype }, i) => binding.storageRead(inputs[i], dtype));
    return new Data(values[0].length / sizeOf(columns[0].shape), types, columns, values);
  }

  /** Rows [begin, end), of `order` where there is one, as a copy. */
  batch(begin: number, end: number, index = 0, order: ArrayLike<number> | null = null): Batch {
    const inputs = this.columns.map(({ name, shape, dtype }, i) => {
      const width = sizeOf(shape);
      const all = this.values[i];
      const values =
        all instanceof SparseRows
          ? dense(all, order, begin, end)
          : order
            ? picked(all, width, order, begin, end)
            : all.subarray(begin * width, end * width);
      return copyOf(name, { tensor: null, values, shape: [values.length], dtype }, dtype);
    });
    return { inputs, rows: end - begin, index };
  }

  /** All rows in their order. */
  batches(batchSize: number): Batch[] {
    const count = Math.ceil(this.rows / batchSize);
    return Array.from({ length: count }, (_, i) =>
      this.batch(i * batchSize, Math.min((i + 1) * batchSize, this.rows), i),
    );
  }
}

/** The programs of diagnostics take dense rows; those of one batch at a time are. */
function dense(all: SparseRows, order: ArrayLike<number> | null, begin: number, end: number): Float32Array {
  return all.denseRows(Int32Array.from({ length: end - begin }, (_, i) => (order ? order[begin + i] : begin + i)));
}

function picked(all: NumericArray, width: number, order: ArrayLike<number>, begin: number, end: number): NumericArray {
  const values = all.slice(0, (end - begin) * width);
  for (let i = begin; i < end; i++)
    values.set(all.subarray(order[i] * width, (order[i] + 1) * width), (i - begin) * width);
  return values;
}

/** A flat float32 vector of zeros. */
export function zeros(size: number, device: string): Tensor {
  return new Tensor(binding.arena([size * elementBytes], device)[0], [size], 'float32');
}

/** 0 … count − 1 in an order that the seed fixes. */
export function randomOrder(count: number, seed: number): Int32Array {
  return binding.permutation(count, seed, 0);
}
