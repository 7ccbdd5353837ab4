import { layers, losses, type ModelOptions, optimizers, sequential, tensor } from 'downhill';
import type { TrainCase } from '../cases/index.js';

function values(count: number): Float32Array {
  return Float32Array.from({ length: count }, () => Math.random());
}

export async function train(spec: TrainCase, options: ModelOptions = {}): Promise<number[]> {
  const { widths, batchSize, batches, epochs, samples, shuffle } = spec;
  const [features, classes] = [widths[0]!, widths.at(-1)!];
  const rows = batchSize * batches;
  const hidden = widths.slice(1, -1);
  const net = sequential(
    [
      ...hidden.flatMap((units, i) => [
        layers.dense({ units, activation: spec.activation, ...(i === 0 && { inputShape: [features] }) }),
        ...(spec.dropout > 0 ? [layers.dropout({ rate: spec.dropout })] : []),
      ]),
      layers.dense({ units: classes, activation: 'softmax' }),
    ],
    options,
  );
  net.compile({ optimizer: optimizers[spec.optimizer](), loss: losses.sparseCategoricalCrossentropy() });

  const x = tensor(values(rows * features), [rows, features]);
  const y = tensor(
    Int32Array.from({ length: rows }, (_, i) => i % classes),
    [rows],
    'int32',
  );
  const run = (count: number) => net.fit(x, y, { batchSize, epochs: count, shuffle, verbose: 0 });

  await run(1);
  const times: number[] = [];
  for (let sample = 0; sample < samples; sample++) {
    const start = performance.now();
    await run(epochs);
    times.push(((performance.now() - start) * 1000) / (epochs * batches));
  }
  return times;
}
