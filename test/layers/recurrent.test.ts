// Recurrent layers beyond what the golden numbers show: large shapes, masks, initial values, files, errors.
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import {
  callbacks,
  compile,
  type LayerOutput,
  layers,
  loadModel,
  type Model,
  model,
  ops,
  type SymbolicTensor,
  seed,
  sequential,
  setThreads,
  type Tensor,
  tensor,
} from 'downhill';
import { afterAll, describe, expect, it } from 'vitest';
import { goHome } from '../support-devices.js';
import { randomArray } from '../support.js';

afterAll(goHome);

const input = (shape: number[], draw = 3) =>
  tensor(
    randomArray(
      shape.reduce((a, b) => a * b, 1),
      draw,
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

  it('drops other parts of the state in every sequence while training, from the second step on', async () => {
    const layer = make({ units: 3, recurrentDropout: 0.5, seed: 5, returnSequences: true });
    const x = input([2, 3, 4]);
    const [dropped, still] = await Promise.all(
      [true, false].map(async (training) => (layer.apply(x, { training }) as Tensor).data()),
    );
    const first = (values: ArrayLike<number>) => [0, 1, 2, 9, 10, 11].map((i) => values[i]!);
    // The state that enters the first step is zeros, with a mask or without.
    first(dropped!).forEach((value, i) => {
      expect(value).toBeCloseTo(first(still!)[i]!, 5);
    });
    expect(dropped).not.toEqual(still);
  });

  it('draws anew where it is applied twice in one function', async () => {
    const layer = make({ units: 3, dropout: 0.5, seed: 5 });
    const both = compile((x: SymbolicTensor) => [1, 2].map(() => layer.apply(x, { training: true }) as SymbolicTensor));
    const [one, other] = (await both(input([4, 3, 4]))) as Tensor[];
    expect(await one!.data()).not.toEqual(await other!.data());
  });

  it('a fit is resumed with its masks, also within a bidirectional layer', async () => {
    const folder = mkdtempSync(join(tmpdir(), 'recurrent-'));
    try {
      const network = () => {
        const net = sequential([
          layers.bidirectional({ layer: make({ units: 2, dropout: 0.5 }) as layers.LSTM, inputShape: [4, 3] }),
          layers.dense({ units: 1 }),
        ]);
        net.compile({ optimizer: 'sgd', loss: 'meanSquaredError' });
        return net;
      };
      const [x, y] = [input([12, 4, 3]), input([12, 1])];
      const options = { batchSize: 4, epochs: 2 };
      seed(3);
      const saved = network();
      const path = join(folder, 'step-{step}');
      await saved.fit(x, y, { ...options, callbacks: [callbacks.modelCheckpoint({ path, everySteps: 2 })] });
      seed(8);
      const other = network();
      await other.fit(x, y, { ...options, resume: path.replace('{step}', '2') });
      const values = (net: Model) => net.getWeights().map((weight) => [...weight.dataSync()]);
      expect(values(other)).toEqual(values(saved));
    } finally {
      rmSync(folder, { recursive: true });
    }
  });
});

it('linear states show the mask of the inputs: one for all steps, another for every sequence', async () => {
  const layer = layers.simpleRNN({
    units: 8,
    activation: 'linear',
    useBias: false,
    kernelInitializer: 'identity',
    recurrentInitializer: 'zeros',
    dropout: 0.5,
    seed: 5,
    returnSequences: true,
  });
  const steps = 3;
  const y = (await (
    layer.apply(ops.broadcastTo(1, [2, steps, 8]), { training: true }) as Tensor
  ).array()) as number[][][];
  for (const row of y) {
    for (const step of row) expect(step).toEqual(row[0]);
    expect([...new Set(row[0])].sort()).toEqual([0, 2]);
  }
  expect(y[0]).not.toEqual(y[1]);
});

it('the layers of a bidirectional one are its own, and frozen with it', () => {
  const inner = layers.lstm({ units: 2 });
  const both = layers.bidirectional({ layer: inner });
  const net = sequential([layers.input({ shape: [4, 3] }), both]);
  expect(net.parameters.map(({ name }) => name)).toEqual(
    ['forward_lstm', 'backward_lstm'].flatMap((layer) =>
      ['kernel', 'recurrent_kernel', 'bias'].map((name) => `bidirectional/${layer}/${name}`),
    ),
  );
  expect([inner.name, inner.built]).toEqual(['lstm', false]);
  both.trainable = false;
  expect(both.weights.some(({ trainable }) => trainable)).toBe(false);
});

it('the bias of the forget gate begins at 1', async () => {
  const layer = layers.lstm({ units: 2, biasInitializer: 'zeros' });
  layer.build([3, 1]);
  expect([...layer.weights[2]!.variable.dataSync()]).toEqual([0, 0, 1, 1, 0, 0, 0, 0]);
});

it.each([true, false])('both directions as two outputs, returnSequences %s', async (returnSequences) => {
  const folder = mkdtempSync(join(tmpdir(), 'recurrent-'));
  const shape = [4, 5, 3];
  const make = (mergeMode: 'concat' | null) => {
    seed(6);
    return layers.bidirectional({ layer: layers.gru({ units: 2, returnSequences }), mergeMode });
  };
  const joined = make('concat').apply(input(shape)) as Tensor;
  const two = make(null);
  const [forward, backward] = two.apply(input(shape)) as unknown as Tensor[];
  expect([...ops.concat([forward!, backward!], -1).dataSync()]).toEqual([...joined.dataSync()]);
  const start = layers.input({ shape: [5, 3] }).output;
  const [a, b] = two.apply<LayerOutput[]>(start);
  expect([a!.shape, b!.shape]).toEqual([forward!.shape.slice(1), backward!.shape.slice(1)]);
  const net = model({ inputs: start, outputs: [a!, b!] });
  expect([...(await net.predict<Tensor[]>(input(shape)))[1]!.dataSync()]).toEqual([...backward!.dataSync()]);
  const path = join(folder, 'two');
  await net.save(path);
  const again = await loadModel(path);
  rmSync(folder, { recursive: true });
  expect([...(await again.predict<Tensor[]>(input(shape)))[0]!.dataSync()]).toEqual([...forward!.dataSync()]);
  expect(() => sequential([layers.input({ shape: [5, 3] }), make(null)])).toThrowError(
    expect.objectContaining({
      code: 'INVALID_ARGUMENT',
      message: expect.stringMatching(/has 2 outputs/) as string,
    }) as Error,
  );
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
