// A network and data for the programs of this folder.
import { layers, type Model, sequential } from 'downhill';

export function network(units: number, inputs = 16): Model {
  const net = sequential([
    layers.dense({ units, activation: 'relu', inputShape: [inputs] }),
    layers.dense({ units: 4, activation: 'softmax' }),
  ]);
  net.compile({ optimizer: 'adam', loss: 'sparseCategoricalCrossentropy', metrics: ['accuracy'] });
  return net;
}

export function examples(rows: number, inputs = 16): { x: Float32Array; y: Int32Array } {
  return {
    x: Float32Array.from({ length: rows * inputs }, (_, i) => Math.sin(i * 12.9898)),
    y: Int32Array.from({ length: rows }, (_, i) => (i * 7) % 4),
  };
}

/** A fit that takes far longer than any test waits. */
export function endless(net: Model, options: object = {}): Promise<unknown> {
  const { x, y } = examples(4096);
  return net.fit(x, y, { epochs: 1_000_000, batchSize: 32, ...options });
}
