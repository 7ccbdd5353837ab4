// Recurrent layers beyond what the golden numbers show: large shapes, masks, initial values, files, errors.
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { layers, loadModel, type Model, ops, sequential, setThreads, type Tensor, tensor } from 'downhill';
import { afterAll, describe, expect, it } from 'vitest';
import { goHome } from '../support-devices.js';
import { randomArray } from '../support.js';

afterAll(goHome);

const input = (shape: number[], seed = 3) =>
  tensor(
    randomArray(
      shape.reduce((a, b) => a * b, 1),
      seed,
      -1,
      1,
    ),
    shape,
  );

const makers = {
  simpleRNN: (options: object) => layers.simpleRNN({ units: 270, ...options }),
  lstm: (options: object) => layers.lstm({ units: 270, ...options }),
  gru: (options: object) => layers.gru({ units: 270, ...options }),
};

describe.each(Object.entries(makers))('%s', (_, make) => {
  it('gives the same as its steps one by one, at sizes above the blocks of its kernels, with any number of threads', async () => {
    const shape = [5, 9];
    const whole = sequential([make({ inputShape: shape, returnSequences: true })]);
    // A function of one's own is not known to be tanh, so the steps become ops of their own.
    const steps = sequential([
      make({ inputShape: shape, returnSequences: true, activation: (x: Tensor) => ops.tanh(x) }),
    ]);
    steps.setWeights(whole.getWeights());
    const x = input([70, ...shape]);
    const target = input([70, 5, 270], 5);
    const results: Float32Array[][] = [];
    for (const [net, threads] of [
      [whole, 1],
      [whole, 3],
      [steps, 2],
    ] as [Model, number][]) {
      setThreads(threads);
      const before = net.getWeights();
      net.compile({ optimizer: 'sgd', loss: 'meanSquaredError' });
      const predicted = await net.predict(x);
      await net.trainOnBatch(x, target);
      const after = await Promise.all(net.getWeights().map((weight) => weight.data()));
      results.push([(await predicted.data()) as Float32Array, ...(after as Float32Array[])]);
      net.setWeights(before);
    }
    const [one, three, singly] = results as [Float32Array[], Float32Array[], Float32Array[]];
    expect(three).toEqual(one);
    for (const [i, values] of one.entries()) {
      const worst = values.reduce((most, value, j) => Math.max(most, Math.abs(value - singly[i]![j]!)), 0);
      expect(worst).toBeLessThan(2e-6);
    }
  });

  it('saves and loads', async () => {
    const folder = mkdtempSync(join(tmpdir(), 'recurrent-'));
    try {
      const net = sequential([
        layers.bidirectional({ layer: make({ units: 3, returnSequences: true }) as layers.LSTM, inputShape: [4, 2] }),
        make({ units: 2, dropout: 0.25, recurrentDropout: 0.5 }),
      ]);
      const x = input([3, 4, 2]);
      await net.save(join(folder, 'net'));
      const loaded = await loadModel(join(folder, 'net'));
      expect(await (await loaded.predict(x)).data()).toEqual(await (await net.predict(x)).data());
    } finally {
      rmSync(folder, { recursive: true });
    }
  });

  it('drops the same features at all steps while training, and nothing else', async () => {
    const layer = make({ units: 3, dropout: 0.5, seed: 5, returnSequences: true });
    const x = input([2, 3, 4]);
    const trained = await (layer.apply(x, { training: true }) as Tensor).data();
    expect(trained).not.toEqual(await (layer.apply(x) as Tensor).data());
    const recurrent = make({ units: 3, recurrentDropout: 0.5, seed: 5, returnSequences: true });
    const [first, still] = await Promise.all(
      [true, false].map(async (training) => (recurrent.apply(x, { training }) as Tensor).data()),
    );
    // The state that enters the first step is zeros, with a mask or without.
    expect(first!.slice(0, 3).map((v) => Math.fround(v * 1e4) | 0)).toEqual(
      still!.slice(0, 3).map((v) => Math.fround(v * 1e4) | 0),
    );
    expect(first).not.toEqual(still);
  });
});

it('the bias of the forget gate begins at 1', async () => {
  const layer = layers.lstm({ units: 2, biasInitializer: 'zeros' });
  layer.build([3, 1]);
  expect([...layer.weights[2]!.variable.dataSync()]).toEqual([0, 0, 1, 1, 0, 0, 0, 0]);
});

describe('errors', () => {
  it.each([
    ['inputs of the wrong rank', () => layers.lstm({ units: 2 }).computeOutputShape([3]), 'SHAPE_MISMATCH'],
    ['no steps', () => layers.gru({ units: 2 }).computeOutputShape([0, 3]), 'SHAPE_MISMATCH'],
    ['no units', () => layers.gru({ units: 0 }), 'OUT_OF_RANGE'],
    ['a rate of 1', () => layers.gru({ units: 1, recurrentDropout: 1 }), 'OUT_OF_RANGE'],
    [
      'another layer in both directions',
      () => layers.bidirectional({ layer: layers.flatten() as never }),
      'INVALID_ARGUMENT',
    ],
    [
      'both directions alike',
      () => layers.bidirectional({ layer: layers.lstm({ units: 1 }), backwardLayer: layers.lstm({ units: 1 }) }),
      'INVALID_ARGUMENT',
    ],
    [
      'sums of unequal units',
      () =>
        layers.bidirectional({
          layer: layers.lstm({ units: 1 }),
          backwardLayer: layers.lstm({ units: 2, goBackwards: true }),
          mergeMode: 'sum',
        }),
      'INVALID_ARGUMENT',
    ],
    ['a kernel that does not fit', () => ops.lstm(input([2, 3, 8]), input([3, 12])), 'SHAPE_MISMATCH'],
    ['products that do not fit', () => ops.lstm(input([2, 3, 7]), input([2, 8])), 'SHAPE_MISMATCH'],
    ['a bias that does not fit', () => ops.gru(input([2, 3, 6]), input([2, 6]), input([2])), 'SHAPE_MISMATCH'],
    ['one state of two', () => ops.lstm(input([2, 3, 8]), input([2, 8]), [input([2, 2])]), 'INVALID_ARGUMENT'],
    ['states that do not fit', () => ops.simpleRNN(input([2, 3, 2]), input([2, 2]), [input([1, 2])]), 'SHAPE_MISMATCH'],
  ])('%s', (_, body, code) => {
    expect(body).toThrowError(expect.objectContaining({ code }) as Error);
  });
});
