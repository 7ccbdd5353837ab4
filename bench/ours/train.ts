import {
  data,
  layers,
  losses,
  type Model,
  type ModelOptions,
  optimizers,
  sequential,
  type Tensor,
  tensor,
} from 'downhill';
import type { TrainCase } from '../cases/index.js';
import { prepareTransformer } from './transformer.js';

function values(count: number): Float32Array {
  return Float32Array.from({ length: count }, () => Math.random());
}

function indices(count: number, limit: number): Int32Array {
  return Int32Array.from({ length: count }, () => Math.floor(Math.random() * limit));
}

function sparse(rows: number, columns: number, nonzeros: number): data.SparseRows {
  const apart = Math.floor(columns / nonzeros);
  return new data.SparseRows({
    shape: [rows, columns],
    indptr: Int32Array.from({ length: rows + 1 }, (_, row) => row * nonzeros),
    indices: Int32Array.from(
      { length: rows * nonzeros },
      (_, i) => (i % nonzeros) * apart + Math.floor(Math.random() * apart),
    ),
    values: values(rows * nonzeros),
  });
}

/** The model of a case, compiled, and its data. */
export function prepare(
  spec: TrainCase,
  options: ModelOptions = {},
): { net: Model; x: Tensor | data.SparseRows; y: Tensor } {
  if (spec.transformer) return prepareTransformer(spec, spec.transformer, options);
  const { widths, batchSize, batches, images, steps, activation } = spec;
  const { words = 0, length = 0 } = spec.embedding ?? {};
  const classes = widths.at(-1)!;
  const shape = images ? [images.side, images.side, images.channels] : [...(steps ? [steps] : []), widths[0]!];
  const rows = batchSize * batches;
  const hidden = widths.slice(1, -1);
  const net = sequential(
    [
      ...(spec.embedding
        ? [
            layers.embedding({ inputDim: words, outputDim: widths[0]! / length, inputShape: [length] }),
            layers.flatten(),
          ]
        : [layers.input({ shape })]),
      ...(images?.filters ?? []).flatMap((filters) => [
        layers.conv2d({ filters, kernelSize: 5, padding: 'same', activation }),
        layers.maxPooling2d({ poolSize: 3, strides: 2, padding: 'same' }),
      ]),
      ...(images ? [layers.flatten()] : []),
      ...(steps ? [layers.lstm({ units: hidden[0]! })] : []),
      ...(steps ? [] : hidden).flatMap((units) => [
        layers.dense({ units, activation }),
        ...(spec.dropout > 0 ? [layers.dropout({ rate: spec.dropout })] : []),
      ]),
      layers.dense({ units: classes, activation: 'softmax' }),
    ],
    { ...(spec.precision && { precision: spec.precision }), ...options },
  );
  net.compile({ optimizer: optimizers[spec.optimizer](), loss: losses.sparseCategoricalCrossentropy() });
  const size = shape.reduce((product, dim) => product * dim, 1);
  const x = spec.embedding
    ? tensor(indices(rows * length, words), [rows, length], 'int32')
    : spec.nonzeros
      ? sparse(rows, size, spec.nonzeros)
      : tensor(values(rows * size), [rows, ...shape]);
  const y = tensor(
    Int32Array.from({ length: rows }, (_, i) => i % classes),
    [rows],
    'int32',
  );
  return { net, x, y };
}

export async function train(spec: TrainCase, options: ModelOptions = {}): Promise<number[]> {
  const { batchSize, batches, epochs, samples, shuffle } = spec;
  const { net, x, y } = prepare(spec, options);
  const run = (count: number) => net.fit(x, y, { batchSize, epochs: count, shuffle, verbose: 0 });

  await run(1);
  const times: number[] = [];
  for (let sample = 0; sample < samples; sample++) {
    const start = performance.now();
    await run(epochs);
    times.push(((performance.now() - start) * 1000) / (epochs * batches));
  }
  for (const made of [net, x, y]) if ('dispose' in made) made.dispose();
  return times;
}
