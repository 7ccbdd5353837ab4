// Normalizations in models: state that steps of training write, how it is saved, resumed, restored and counted; errors.
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import {
  callbacks,
  diagnostics,
  initializers,
  input,
  layers,
  loadModel,
  type Model,
  model,
  ops,
  optimizers,
  seed,
  sequential,
  setDevice,
  tensor,
  type Tensor,
} from 'downhill';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { failure } from '../errors.js';
import { goHome, testDevices } from '../support-devices.js';

function expectError(body: () => unknown, code: string, text: string): void {
  expect(failure(body)).toMatchObject({ code, message: expect.stringContaining(text) as string });
}

const folder = mkdtempSync(join(tmpdir(), 'normalization-'));
afterAll(() => rmSync(folder, { recursive: true, force: true }));

const rows = 27; // 8 + 8 + 8 + 3
const x = Float32Array.from({ length: rows * 5 }, (_, i) => Math.sin(i * 1.7) * (1 + (i % 5)) + (i % 5));
const y = Int32Array.from({ length: rows }, (_, i) => (i * 7) % 3);
const options = { batchSize: 8, verbose: 0 as const };

function build(
  given: layers.BatchNormalizationOptions = {},
  optimizer = optimizers.adam({ learningRate: 0.02 }),
): Model {
  seed(5);
  const net = sequential([
    layers.batchNormalization({ momentum: 0.9, inputShape: [5], ...given }),
    layers.dense({ units: 6, activation: 'tanh' }),
    layers.batchNormalization({ momentum: 0.8, ...given }),
    layers.dropout({ rate: 0.2, seed: 3 }),
    layers.dense({ units: 3, activation: 'softmax' }),
  ]);
  net.compile({ optimizer, loss: 'sparseCategoricalCrossentropy', metrics: ['accuracy'] });
  return net;
}

const bits = (net: Model) => net.getWeights().map((weight) => [...weight.dataSync()]);
const named = (net: Model, name: string) => net.parameters.find((parameter) => parameter.name.endsWith(name))!;

/** Means and variances (divided by n) of the columns of rows [begin, end). */
function moments(begin: number, end: number): { mean: number[]; variance: number[] } {
  const columns = [0, 1, 2, 3, 4].map((c) => Array.from({ length: end - begin }, (_, r) => x[(begin + r) * 5 + c]!));
  const mean = columns.map((values) => values.reduce((sum, value) => sum + value, 0) / values.length);
  const variance = columns.map(
    (values, c) => values.reduce((sum, value) => sum + (value - mean[c]!) ** 2, 0) / values.length,
  );
  return { mean, variance };
}

describe.each(testDevices)('state of batch normalization, on %s', (device) => {
  beforeAll(() => setDevice(device));
  afterAll(goHome);

  test('every step moves it, the last small batch and steps that only accumulate too; evaluation and prediction do not', async () => {
    const net = build({}, optimizers.adam({ learningRate: 0.02, gradientAccumulationSteps: 4 }));
    const expected = { mean: [0, 0, 0, 0, 0], variance: [1, 1, 1, 1, 1] };
    for (let begin = 0; begin < rows; begin += 8) {
      const batch = moments(begin, Math.min(rows, begin + 8));
      for (const key of ['mean', 'variance'] as const)
        expected[key] = expected[key].map((value, c) => value * 0.9 + batch[key][c]! * 0.1);
    }
    await net.fit(x, y, { ...options, shuffle: false, epochs: 1 });
    const state = () => [
      ...named(net, 'batch_normalization/moving_mean').dataSync(),
      ...named(net, 'batch_normalization/moving_variance').dataSync(),
    ];
    const after = state();
    [...expected.mean, ...expected.variance].forEach((value, i) => {
      expect(after[i]).toBeCloseTo(value, 4);
    });
    const all = bits(net);
    const scores = await net.evaluate(x, y, options);
    expect(await net.evaluate(x, y, { ...options, batchSize: 5 })).toEqual({
      loss: expect.closeTo(scores.loss!, 5) as number,
      accuracy: scores.accuracy,
    });
    await net.predict(x);
    expect(bits(net)).toEqual(all);
    await net.trainOnBatch(x.subarray(0, 40), y.subarray(0, 8));
    expect(state()).not.toEqual(after);
    net.dispose();
  });

  test('frozen, the layer uses it and leaves it as it is', async () => {
    const net = build({ trainable: false });
    const before = named(net, 'batch_normalization/moving_mean').dataSync().slice();
    await net.fit(x, y, { ...options, epochs: 2 });
    expect(named(net, 'batch_normalization/moving_mean').dataSync()).toEqual(before);
    expect(named(net, 'batch_normalization/gamma').dataSync()).toEqual(Float32Array.of(1, 1, 1, 1, 1));
    net.dispose();
  });

  test('a step with a loss that is not finite leaves it as it is', async () => {
    const net = build();
    const before = bits(net);
    await expect(net.fit(new Float32Array(40).fill(NaN), y.subarray(0, 8), options)).rejects.toMatchObject({
      code: 'NON_FINITE',
    });
    expect(bits(net)).toEqual(before);
    net.dispose();
  });

  test('saved, loaded and resumed it has the bits of a fit that never stopped', async () => {
    const whole = build();
    await whole.fit(x, y, { ...options, epochs: 4 });
    const path = join(folder, `${device}.safetensors`);
    const cut = build();
    const abort = new AbortController();
    let steps = 0;
    const stop = callbacks.lambda({ onTrainBatchEnd: () => void (++steps === 7 && abort.abort()) });
    const saver = callbacks.modelCheckpoint({ path, everySteps: 3 });
    await expect(
      cut.fit(x, y, { ...options, epochs: 4, callbacks: [saver, stop], signal: abort.signal }),
    ).rejects.toBeTruthy();
    const loaded = await loadModel(path);
    expect(loaded.parameters.map(({ name, trainable }) => [name, trainable])).toEqual(
      cut.parameters.map(({ name, trainable }) => [name, trainable]),
    );
    seed(99);
    const again = build();
    await again.fit(x, y, { ...options, epochs: 4, resume: path });
    expect(bits(again)).toEqual(bits(whole));
    for (const net of [whole, cut, loaded, again]) net.dispose();
  });

  test('earlyStopping restores it with the best weights', async () => {
    const net = build();
    const seen: number[][][] = [];
    const stopping = callbacks.earlyStopping({ monitor: 'score', mode: 'max', patience: 9, restoreBestWeights: true });
    const scores = [1, 3, 2, 0];
    const keep = callbacks.lambda({
      onEpochEnd: (epoch, logs) => {
        (logs as Record<string, number>).score = scores[epoch]!;
        seen.push(bits(net));
      },
    });
    await net.fit(x, y, { ...options, epochs: 4, callbacks: [keep, stopping] });
    expect(bits(net)).toEqual(seen[1]);
    expect(seen[3]).not.toEqual(seen[1]);
    net.dispose();
  });

  test('predictions during a fit are of one finished step', async () => {
    const net = build();
    const fitting = net.fit(x, y, { ...options, epochs: device === 'cpu' ? 60 : 3 });
    const during = (await net.predict(x)).dataSync();
    expect(during.every(Number.isFinite)).toBe(true);
    await fitting;
    const weights = net.getWeights();
    const twin = build();
    twin.setWeights(weights);
    expect((await twin.predict(x)).dataSync()).toEqual((await net.predict(x)).dataSync());
    net.dispose();
    twin.dispose();
  });
});

test('Keras counts and orders the weights so', () => {
  const net = build({ scale: false });
  const lines: string[] = [];
  net.summary((text) => lines.push(text));
  expect(lines.join('\n')).toMatch(/Trainable params: 68 .*\n.*Non-trainable params: 22 /);
  expect(layers.batchNormalization({ inputShape: [2] }).weights).toEqual([]);
  expect(
    build()
      .parameters.slice(0, 4)
      .map(({ name }) => name),
  ).toEqual(['gamma', 'beta', 'moving_mean', 'moving_variance'].map((name) => `batch_normalization/${name}`));
});

test('a layer that a graph calls as in training normalizes by the batch, and predictions leave its state', async () => {
  const start = input({ shape: [5] });
  const layer = layers.batchNormalization({ center: false, scale: false });
  const net = model({ inputs: start, outputs: layer.apply(start, { training: true }) });
  const given = (await net.predict(x, { batchSize: rows })).dataSync();
  expect([...given].reduce((sum, value) => sum + value, 0) / given.length).toBeCloseTo(0, 5);
  expect(layer.weights[0]!.variable.dataSync()).toEqual(new Float32Array(5));
  // Called on values it is the user who trains.
  layer.apply(tensor(x, [rows, 5]), { training: true });
  expect(layer.weights[0]!.variable.dataSync()[4]).toBeCloseTo(0.01 * moments(0, rows).mean[4]!, 5);
});

test('profiles and diagnostics leave the state as it is', async () => {
  const net = build();
  await net.fit(x, y, options);
  const before = bits(net);
  await net.program('train').profile({ batchSize: 8, runs: 2 });
  await diagnostics.gradientNorm(net, x, y);
  await diagnostics.sharpness(net, x, y);
  expect(bits(net)).toEqual(before);
  net.dispose();
});

test.each([
  ['batchNormalization', {}],
  ['layerNormalization', { axis: [1, 2] }],
  ['groupNormalization', { groups: 2 }],
  ['rmsNormalization', {}],
  ['unitNormalization', {}],
  ['normalization', {}],
  ['rescaling', { scale: 2 }],
  ['relu', { maxValue: 1 }],
  ['leakyRelu', {}],
  ['elu', {}],
  ['prelu', { sharedAxes: [1] }],
  ['softmax', {}],
  ['spatialDropout1d', { rate: 0.3 }],
  ['spatialDropout2d', { rate: 0.3 }],
  ['alphaDropout', { rate: 0.3 }],
] as const)('%s: a model with it trains, and goes on from its file with the same bits', async (kind, given) => {
  const shape = kind === 'spatialDropout2d' ? [2, 2, 4] : [4, 4];
  const net = sequential([
    layers.reshape({ targetShape: shape, inputShape: [16] }),
    layers[kind](given as never) as layers.Layer,
    layers.flatten(),
    layers.dense({ units: 1 }),
  ]);
  net.compile({ optimizer: 'adam', loss: 'meanSquaredError' });
  const inputs = Float32Array.from({ length: 16 * 9 }, (_, i) => Math.sin(i * 1.1));
  const fit = (one: Model) =>
    one.fit(inputs, new Float32Array(9).fill(1), { ...options, batchSize: 4, shuffle: false });
  await fit(net);
  const path = join(folder, `${kind}.safetensors`);
  await net.save(path);
  const loaded = await loadModel(path);
  expect((await loaded.predict(inputs)).dataSync()).toEqual((await net.predict(inputs)).dataSync());
  await fit(net);
  await fit(loaded);
  expect(bits(loaded)).toEqual(bits(net));
  net.dispose();
  loaded.dispose();
});

describe('over the last axes', () => {
  const dense = () => layers.dense({ units: 8 });
  const steps = (layer: layers.Layer) => {
    const net = sequential([layers.reshape({ targetShape: [2, 4], inputShape: [8] }), dense(), layer, dense()]);
    net.compile({ optimizer: 'sgd', loss: 'meanSquaredError' });
    return net
      .program('train')
      .describe()
      .split('\n')
      .map((line) => line.trim().split(/\s+/)[1]!)
      .filter((name) => /ormalization|rsqrt/.test(name));
  };

  test.each([
    [layers.layerNormalization(), ['layerNormalization', 'layerNormalizationGrad+scaleGrad+columnSums']],
    [
      layers.layerNormalization({ axis: [1, 2] }),
      ['layerNormalization', 'layerNormalizationGrad+scaleGrad+columnSums'],
    ],
    [layers.layerNormalization({ scale: false }), ['layerNormalization', 'layerNormalizationGrad+columnSums']],
    [layers.layerNormalization({ trainable: false }), ['layerNormalization', 'layerNormalizationGrad']],
    [layers.rmsNormalization(), ['rmsNormalization', 'rmsNormalizationGrad+scaleGrad']],
  ])('a normalization is one step forward and one back', (layer, expected) => {
    expect(steps(layer)).toEqual(expected);
  });
});

test('ops of normalization say what they expected', () => {
  const rows = tensor(new Float32Array(6), [2, 3]);
  const cases: [() => unknown, string, string][] = [
    [() => ops.layerNormalization(rows, { gamma: [1, 2] }), 'SHAPE_MISMATCH', '[3]'],
    [() => ops.layerNormalization(rows, { beta: [[1, 2, 3]] }), 'SHAPE_MISMATCH', '[3]'],
    [() => ops.layerNormalization(3), 'SHAPE_MISMATCH', 'at least one dimension'],
    [() => ops.layerNormalization(rows, { epsilon: -1 }), 'OUT_OF_RANGE', 'epsilon'],
    [() => ops.layerNormalization(rows, { scale: [1, 2, 3] } as never), 'UNKNOWN_OPTION', 'scale'],
    [() => ops.rmsNormalization(rows, { scale: [1] }), 'SHAPE_MISMATCH', '[3]'],
    [() => ops.rmsNormalization(rows, { epsilon: Infinity }), 'OUT_OF_RANGE', 'epsilon'],
  ];
  for (const [body, code, text] of cases) expectError(body, code, text);
});

test('normalization keeps what it has adapted to in the model', async () => {
  const normalize = layers.normalization({ inputShape: [5] });
  normalize.adapt(x);
  const { mean, variance } = moments(0, rows);
  const net = sequential([normalize, layers.dense({ units: 1 })]);
  net.compile({ optimizer: 'sgd', loss: 'meanSquaredError' });
  await net.fit(x, new Float32Array(rows), options);
  const path = join(folder, 'adapted.safetensors');
  await net.save(path);
  const loaded = await loadModel(path);
  const [means, variances] = loaded.getWeights();
  mean.forEach((value, i) => {
    expect(means!.dataSync()[i]).toBeCloseTo(value, 5);
    expect(variances!.dataSync()[i]).toBeCloseTo(variance[i]!, 3);
  });
  expect((await loaded.predict(x)).dataSync()).toEqual((await net.predict(x)).dataSync());
  expectError(
    () => layers.normalization({ mean: 1, variance: 2 }).adapt([[1]]),
    'INVALID_ARGUMENT',
    'given as options',
  );
  expectError(() => layers.normalization({ inputShape: [5] }).adapt(new Float32Array(7)), 'SHAPE_MISMATCH', 'rows');
  expectError(() => layers.normalization({ mean: 1 }), 'INVALID_ARGUMENT', '"variance"');
});

describe('dropout of channels', () => {
  test.each([
    ['spatialDropout1d', [6, 4, 5], {}, [1]],
    ['spatialDropout2d', [6, 3, 2, 5], {}, [1, 2]],
    ['spatialDropout2d', [6, 5, 3, 2], { dataFormat: 'channelsFirst' }, [2, 3]],
  ] as const)('%s of %j %j', (kind, shape, more, shared) => {
    const layer = layers[kind]({ rate: 0.4, seed: 9, ...more } as never) as layers.Layer;
    const ones = tensor(new Float32Array((shape as readonly number[]).reduce((a, b) => a * b)).fill(1), [...shape]);
    const y = layer.apply(ones, { training: true }) as Tensor;
    const values = new Set(y.dataSync());
    expect([...values].sort()).toEqual([0, Math.fround(1 / Math.fround(1 - Math.fround(0.4)))]);
    const extreme = (f: 'max' | 'min') => (ops[f](y, [...shared]) as Tensor).dataSync();
    expect(extreme('max')).toEqual(extreme('min'));
    expect((layer.apply(ones) as Tensor).dataSync()).toEqual(ones.dataSync());
    expect((layer.apply(ones, { training: true }) as Tensor).dataSync()).not.toEqual(y.dataSync());
  });

  test('alphaDropout keeps mean and variance', () => {
    const normal = initializers.randomNormal({ stddev: 1, seed: 4 }).sample([200, 200]);
    const y = (
      layers.alphaDropout({ rate: 0.3, seed: 2 }).apply(normal, { training: true }) as Tensor
    ).dataSync() as Float32Array;
    const mean = y.reduce((sum, value) => sum + value, 0) / y.length;
    expect(mean).toBeCloseTo(0, 1);
    expect(y.reduce((sum, value) => sum + (value - mean) ** 2, 0) / y.length).toBeCloseTo(1, 1);
  });
});

class RunningMean extends layers.Layer {
  override readonly type = 'RunningMean';
  #mean!: ReturnType<typeof this.addState>;
  constructor(options: layers.LayerOptions = {}) {
    super('runningMean', options);
  }
  computeOutputShape(shape: readonly number[]) {
    return shape;
  }
  override declareWeights(shape: readonly number[]) {
    this.#mean = this.addState('mean', shape, initializers.zeros());
  }
  call(given: layers.Computed, { training }: layers.CallContext) {
    const { variable } = this.#mean;
    if (training) variable.assign(ops.add(ops.mul(variable, 0.9), ops.mul(ops.mean(given, 0), 0.1)));
    return ops.sub(given, variable);
  }
}

test('a layer of the user has such state, too; one that is called twice moves it twice', async () => {
  const start = input({ shape: [5] });
  const shared = new RunningMean();
  const sum = layers.add().apply([shared.apply(start), shared.apply(start)]);
  const net = model({ inputs: start, outputs: layers.dense({ units: 3, activation: 'softmax' }).apply(sum) });
  net.compile({ optimizer: 'sgd', loss: 'sparseCategoricalCrossentropy' });
  await net.fit(x, y, { ...options, batchSize: rows });
  moments(0, rows).mean.forEach((value, i) => {
    expect(named(net, 'runningMean/mean').dataSync()[i]).toBeCloseTo(value * (0.1 + 0.09), 5);
  });
});

test('errors say what was expected', () => {
  const mismatch = (layer: layers.Layer, shape: number[], text: string) =>
    expectError(() => layer.build(shape), 'SHAPE_MISMATCH', text);
  mismatch(layers.batchNormalization({ axis: 3 }), [4], 'axis 3');
  mismatch(layers.layerNormalization({ axis: [1, -1] }), [4], 'axis 1 and -1');
  mismatch(layers.groupNormalization({ groups: 4 }), [6], '4 groups');
  mismatch(layers.rescaling({ scale: [1, 2] }), [3], '2 features');
  mismatch(layers.spatialDropout2d({ rate: 0.5 }), [3, 4], '3 axes');
  const built = layers.batchNormalization({ inputShape: [3] });
  built.build([3]);
  expectError(() => built.build([4]), 'SHAPE_MISMATCH', '[3] along the axis');
  expectError(() => layers.layerNormalization({ axis: 0 }), 'INVALID_ARGUMENT', 'axis');
  expectError(() => layers.layerNormalization({ axis: [1, 1] }), 'INVALID_ARGUMENT', 'axis');
  expectError(() => layers.batchNormalization({ axis: [1] as never }), 'INVALID_ARGUMENT', 'axis');
  expectError(() => layers.batchNormalization({ momentum: 1.5 }), 'OUT_OF_RANGE', 'momentum');
  expectError(() => layers.groupNormalization({ groups: 0 }), 'OUT_OF_RANGE', 'groups');
  expectError(() => layers.relu({ maxValue: -1 }), 'OUT_OF_RANGE', 'maxValue');
});
