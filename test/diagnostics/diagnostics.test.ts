// What holds of all diagnostics: the model stays as it is, data and options are checked, large models work.
import {
  diagnostics,
  initializers,
  input,
  layers,
  losses,
  type Model,
  model,
  type SymbolicTensor,
  ops,
  optimizers,
  seed,
  sequential,
  setDevice,
  tensor,
} from 'downhill';
import { afterAll, beforeEach, describe, expect, test } from 'vitest';
import { Dense } from '../../lib/layers/core/dense.js';
import { randomState } from '../../lib/random.js';
import { classifier, close, fails, quadrants, randomArray } from '../support.js';
import { goHome, testDevices } from '../support-devices.js';

const { x, oneHot, labels } = quadrants(60);

/** Weights, slots and counters, as text. */
function stateOf(net: Model): string {
  const { optimizer } = net.compiled!;
  const slots = net.parameters.flatMap((parameter) => (optimizer.slotsOf(parameter) ? 'slots' : 'none'));
  const weights = net.getWeights().map((weight) => Buffer.from(weight.dataSync().buffer).toString('base64'));
  return JSON.stringify([weights, slots, optimizer.steps, optimizer.learningRate, randomState()]);
}

function dropping(): Model {
  const net = sequential([
    layers.dense({ units: 16, activation: 'tanh', inputShape: [2] }),
    layers.dropout({ rate: 0.4, seed: 3 }),
    layers.dense({ units: 2, activation: 'softmax' }),
  ]);
  net.compile({ optimizer: 'adam', loss: 'categoricalCrossentropy', metrics: ['accuracy'] });
  return net;
}

const all: [string, (net: Model) => Promise<unknown>][] = [
  ['gradientNorm', (net) => diagnostics.gradientNorm(net, x, oneHot)],
  ['curvature', (net) => diagnostics.curvature(net, x, oneHot)],
  ['sharpness', (net) => diagnostics.sharpness(net, x, oneHot, { iterations: 10 })],
  ['noiseScale', (net) => diagnostics.noiseScale(net, x, oneHot, { batchSize: 8 })],
  ['initialSpread', (net) => diagnostics.initialSpread(net, x, oneHot)],
  ['overfitBatch', (net) => diagnostics.overfitBatch(net, x.subarray(0, 16), oneHot.subarray(0, 16), { steps: 5 })],
  ['stationary', (net) => diagnostics.stationary(net, x, oneHot)],
  ['lossSurface', (net) => diagnostics.lossSurface(net, x, oneHot, { steps: 3 })],
];

describe.each(testDevices)('on %s', (device) => {
  beforeEach(() => setDevice(device));
  afterAll(goHome);

  test.each(all)('%s leaves the model as it is, and training goes on to the same bits', async (_, work) => {
    const run = async (look: boolean) => {
      seed(11);
      const net = dropping();
      await net.fit(x, oneHot, { verbose: 0 });
      const before = stateOf(net);
      if (look) await work(net);
      expect(stateOf(net)).toBe(before);
      await net.fit(x, oneHot, { verbose: 0 });
      return stateOf(net);
    };
    expect(await run(true)).toBe(await run(false));
  });
});

test('results repeat, also where something is drawn', async () => {
  const net = dropping();
  for (const [name, work] of all) expect(await work(net), name).toEqual(await work(net));
  const dropped = (options: object) => diagnostics.gradientNorm(net, x, oneHot, { training: true, ...options });
  expect(await dropped({})).toEqual(await dropped({}));
  expect((await dropped({ seed: 1 })).norm).not.toBe((await dropped({})).norm);
  expect((await dropped({})).norm).not.toBe((await diagnostics.gradientNorm(net, x, oneHot)).norm);
});

test('results do not depend on the batch size, nor on what the data comes in', async () => {
  const net = classifier();
  const { norm, loss } = await diagnostics.gradientNorm(net, x, oneHot);
  for (const batchSize of [1, 7, 59, 60, 1000]) {
    const found = await diagnostics.gradientNorm(net, x, oneHot, { batchSize });
    expect(found.norm / norm).toBeCloseTo(1, 5);
    expect(found.loss / loss).toBeCloseTo(1, 5);
  }
  const nested = Array.from({ length: 60 }, (_, i) => [x[2 * i]!, x[2 * i + 1]!]);
  const found = await diagnostics.gradientNorm(net, nested, tensor(oneHot, [60, 2]));
  expect(found.norm).toBe(norm);
  const sparse = classifier([], 'sparseCategoricalCrossentropy');
  sparse.setWeights(net.getWeights());
  expect((await diagnostics.gradientNorm(sparse, Float64Array.from(x), labels)).norm / norm).toBeCloseTo(1, 5);
});

test('weights of rows and classes count as in fit', async () => {
  const net = classifier();
  const half = Float32Array.from({ length: 60 }, (_, i) => (i < 24 ? 1 : 0));
  const part = await diagnostics.gradientNorm(net, x.subarray(0, 48), oneHot.subarray(0, 48));
  const found = await diagnostics.gradientNorm(net, x, oneHot, { sampleWeight: half, batchSize: 7 });
  // Σ w·L / n
  expect(found.norm / part.norm).toBeCloseTo(24 / 60, 5);
  expect(found.loss).toBeCloseTo((await net.evaluate(x, oneHot, { sampleWeight: half, verbose: 0 })).loss, 5);
  const classWeight = { 0: 3, 1: 0.5 };
  const sampleWeight = Float32Array.from(labels, (label) => classWeight[label as 0 | 1]);
  const byRow = await diagnostics.curvature(net, x, oneHot, { sampleWeight });
  expect(await diagnostics.curvature(net, x, oneHot, { classWeight })).toEqual(byRow);
  await fails('SHAPE_MISMATCH', /sampleWeight must have shape/, () =>
    diagnostics.sharpness(net, x, oneHot, { sampleWeight: half.subarray(1) }),
  );
});

test('during a fit: at a finished step, and the fit does not notice', async () => {
  const run = async (look: boolean) => {
    seed(12);
    const net = classifier();
    const fitting = net.fit(x, oneHot, { epochs: 200, batchSize: 8, verbose: 0 });
    if (look) {
      const found = await diagnostics.curvature(net, x, oneHot);
      expect(found.gTg).toBeGreaterThan(0);
    }
    await fitting;
    return stateOf(net);
  };
  expect(await run(true)).toBe(await run(false));
});

test('frozen layers have no part in the gradient', async () => {
  const net = classifier();
  net.layers[0]!.trainable = false;
  const { weights } = await diagnostics.gradientNorm(net, x, oneHot);
  expect(Object.keys(weights)).toEqual(['dense_1/kernel', 'dense_1/bias']);
  net.layers[1]!.trainable = false;
  await fails('INVALID_ARGUMENT', /no trainable weights/, () => diagnostics.gradientNorm(net, x, oneHot));
});

test('a model with a million weights', async () => {
  const net = sequential([
    layers.dense({ units: 1000, activation: 'relu', inputShape: [784] }),
    layers.dense({ units: 300, activation: 'relu' }),
    layers.dense({ units: 10, activation: 'softmax' }),
  ]);
  net.compile({ optimizer: 'adam', loss: 'sparseCategoricalCrossentropy' });
  const many = randomArray(64 * 784, 1);
  const classes = Int32Array.from({ length: 64 }, (_, i) => i % 10);
  const found = await diagnostics.sharpness(net, many, classes, { iterations: 10, tolerance: 0.05 });
  expect(found.largest).toBeGreaterThan(0);
  expect(found.iterations).toBeLessThanOrEqual(10);
  const { norm, weights } = await diagnostics.gradientNorm(net, many, classes);
  expect(Math.sqrt(Object.values(weights).reduce((total, value) => total + value ** 2, 0))).toBeCloseTo(norm, 6);
  const { gTg, gTHg } = await diagnostics.curvature(net, many, classes);
  // A Rayleigh quotient lies below the largest eigenvalue.
  expect(gTHg / gTg).toBeLessThan(found.largest * 1.05);
}, 60_000);

describe('initialSpread', () => {
  const deep = (scale: number, activation = 'tanh') => {
    const initial = (i: number) => initializers.randomUniform({ minval: -scale, maxval: scale, seed: i });
    const net = sequential([
      ...Array.from({ length: 8 }, (_, i) =>
        layers.dense({
          units: 32,
          activation,
          kernelInitializer: initial(i),
          ...(i === 0 && { inputShape: [2] }),
        }),
      ),
      layers.dense({ units: 2, activation: 'softmax' }),
    ]);
    net.compile({ optimizer: 'sgd', loss: 'categoricalCrossentropy' });
    return net;
  };

  test('weights too large explode, weights too small vanish', async () => {
    const [small, large, good, saturated] = await Promise.all(
      [deep(0.05), deep(3, 'relu'), deep(Math.sqrt(3 / 32)), deep(8)].map((net) =>
        diagnostics.initialSpread(net, x, oneHot),
      ),
    );
    expect(small!.verdict).toMatch(/vanishing activations .*vanishing gradients/);
    expect(small!.activationGrowth).toBeLessThan(1e-4);
    expect(large!.verdict).toMatch(/exploding activations .*exploding gradients/);
    expect(good!.verdict).toMatch(/^steady/);
    expect(saturated!.layers[4]!.activation.saturated).toBeGreaterThan(0.8);
    expect(good!.layers.map(({ name }) => name)).toEqual(deep(1).layers.map(({ name }) => name));
  });

  test('every output of several is one, and hidden layers are those before', async () => {
    const start = input({ shape: [2] });
    const wide = (units: number, scale: number) =>
      layers.dense({ units, kernelInitializer: initializers.randomNormal({ stddev: scale, seed: units }) });
    const first = wide(16, 1).apply(start);
    const second = wide(15, 1).apply(first);
    // The first head is made of values a million times as large.
    const heads = [wide(3, 1e6).apply(second), wide(2, 1).apply(second)];
    const net = model({ inputs: start, outputs: heads });
    net.compile({ optimizer: 'sgd', loss: 'mse' });
    const spread = await diagnostics.initialSpread(net, x, [new Float32Array(180), oneHot]);
    const [a, b] = spread.layers.map(({ activation }) => activation.standardDeviation);
    expect(spread.activationGrowth).toBeCloseTo(b! / a!, 5);
    expect(spread.verdict).not.toMatch(/exploding activations/);
  });

  test('dead units, and layers that only pass on', async () => {
    const net = sequential([
      layers.dense({ units: 8, activation: 'relu', biasInitializer: 'zeros', inputShape: [2] }),
      layers.dropout({ rate: 0.5 }),
      layers.dense({ units: 2, activation: 'softmax' }),
    ]);
    net.compile({ optimizer: 'sgd', loss: 'categoricalCrossentropy' });
    const weights = net.getWeights();
    net.setWeights([weights[0]!, new Float32Array(8).fill(-50), weights[2]!, weights[3]!]);
    const { layers: found, verdict } = await diagnostics.initialSpread(net, x, oneHot);
    expect(found.map(({ activation }) => activation.zeros)).toEqual([1, 1, 0]);
    expect(found.map(({ activation }) => activation.saturated)).toEqual([null, null, 0]);
    expect(verdict).toContain('outputs are zero in "dense"');
    expect(found[0]!.gradient).toEqual(found[1]!.gradient);
    const dropped = await diagnostics.initialSpread(net, x, oneHot, { training: true });
    expect(dropped.layers[0]!.activation).toEqual(found[0]!.activation);
  });
});

class Doubled extends Dense {
  override call(x: never): never {
    return ops.mul(super.call(x) as never, 2) as never;
  }
}

describe('overfitBatch', () => {
  const few = [x.subarray(0, 16), oneHot.subarray(0, 16)] as const;

  test('a network that can memorises, one that cannot does not', async () => {
    const able = await diagnostics.overfitBatch(classifier(), ...few, {
      optimizer: optimizers.adam({ learningRate: 0.1 }),
    });
    expect(able).toMatchObject({ memorised: true, metrics: { accuracy: 1 } });
    expect(able.steps).toBe(able.losses.length);
    expect(able.steps).toBeLessThan(300);
    expect(able.losses[0]).toBe(able.firstLoss);
    const net = sequential([layers.dense({ units: 2, activation: 'softmax', inputShape: [2] })]);
    net.compile({ optimizer: 'adam', loss: 'categoricalCrossentropy' });
    const unable = await diagnostics.overfitBatch(net, ...few, { steps: 100 });
    expect(unable).toMatchObject({ memorised: false, steps: 100 });
    expect(unable.verdict).toMatch(/^not memorised/);
  });

  test('layers, losses and metrics of one’s own; frozen weights stay', async () => {
    const net = sequential([
      new Doubled({ units: 4, inputShape: [2] }),
      layers.dense({ units: 2, activation: 'softmax' }),
    ]);
    const loss = (yTrue: SymbolicTensor, yPred: SymbolicTensor) => losses.categoricalCrossentropy()(yTrue, yPred);
    net.compile({ optimizer: 'adam', loss, metrics: [loss] });
    net.parameters[0]!.trainable = false;
    const found = await diagnostics.overfitBatch(net, ...few, { steps: 3 });
    expect(found.losses[0]).toBeCloseTo((await net.evaluate(...few, { verbose: 0 })).loss, 5);
    expect(found.losses[2]).toBeLessThan(found.losses[0]!);
  });
});

test('updateRatios', async () => {
  const net = classifier([], 'categoricalCrossentropy', 'sgd');
  net.setLearningRate(0.5);
  const before = net.getWeights();
  await net.trainOnBatch(x, oneHot);
  const after = net.getWeights();
  const norm = (values: ArrayLike<number>) => Math.hypot(...Array.from(values));
  const ratios = await diagnostics.updateRatios(net, before);
  net.parameters.forEach(({ name }, i) => {
    const [from, to] = [before[i]!.dataSync(), after[i]!.dataSync()];
    const moved = norm(from.map((value, j) => value - to[j]!));
    expect(ratios[name]).toBeCloseTo(moved === 0 ? 0 : moved / norm(from), 6);
  });
  expect(ratios['dense/kernel']).toBeGreaterThan(0);
  expect(ratios['dense/bias']).toBe(Infinity);
  expect(Object.values(await diagnostics.updateRatios(net, after))).toEqual([0, 0, 0, 0]);
  await fails('SHAPE_MISMATCH', /getWeights\(\) gave, 4 tensors/, () => diagnostics.updateRatios(net, before.slice(1)));
});

test('random directions have the norms of the filters, and move no bias', async () => {
  const net = classifier();
  const { losses: grid } = await diagnostics.lossSurface(net, x, oneHot, { steps: 3, range: [-1, 1] });
  const { loss } = await net.evaluate(x, oneHot, { verbose: 0 });
  expect(grid[1]![1]).toBeCloseTo(loss, 5);
  expect(new Set(grid.flat()).size).toBe(9);
  const other = await diagnostics.lossSurface(net, x, oneHot, { steps: 3, seed: 1 });
  expect(other.losses).not.toEqual(grid);
  expect(other.losses[1]![1]).toBe(grid[1]![1]);
});

test('a filter’s direction has its norm: a linear network’s surface grows as the square of its weights', async () => {
  const net = sequential([
    layers.dense({ units: 3, useBias: false, inputShape: [2] }),
    layers.dense({ units: 2, useBias: false }),
  ]);
  net.compile({ optimizer: 'sgd', loss: 'meanSquaredError' });
  const zero = new Float32Array(oneHot.length);
  const surface = async () => (await diagnostics.lossSurface(net, x, zero, { steps: 3 })).losses.flat();
  const before = await surface();
  net.setWeights(net.getWeights().map((weight, i) => weight.dataSync().map((value) => value * (i === 0 ? 3 : 5))));
  close(
    await surface(),
    before.map((value) => 225 * value),
    1e-5,
  );
});

test('noise is sampled, as the seed says', async () => {
  const net = classifier();
  const trace = async (options: object) =>
    (await diagnostics.noiseScale(net, x, oneHot, { batchSize: 4, batches: 3, ...options })).trace;
  const found = [await trace({}), await trace({ seed: 1 }), await trace({ shuffle: false })];
  expect(new Set(found).size).toBe(3);
  // The first rows, in their order.
  expect(await trace({ shuffle: false, seed: 7 })).toBe(found[2]);
});

test('what cannot be looked at', async () => {
  const net = classifier();
  const bare = sequential([layers.dense({ units: 2, inputShape: [2] })]);
  await fails('NOT_COMPILED', /diagnostics.gradientNorm/, () => diagnostics.gradientNorm(bare, x, oneHot));
  await fails('SHAPE_MISMATCH', /x must fill rows/, () => diagnostics.curvature(net, x.subarray(1), oneHot));
  await fails('SHAPE_MISMATCH', /x has 60 rows, but y has 59/, () => diagnostics.sharpness(net, x, oneHot.subarray(2)));
  await fails('EMPTY_DATA', /no rows/, () => diagnostics.initialSpread(net, new Float32Array(0), oneHot));
  const spoilt = x.slice();
  spoilt[7] = Number.NaN;
  await fails('NON_FINITE', /x\[row 3, element 1\]/, () => diagnostics.gradientNorm(net, spoilt, oneHot));
  await fails('OUT_OF_RANGE', /2 batches of 32 rows need 64 rows; x has 60/, () =>
    diagnostics.noiseScale(net, x, oneHot),
  );
  await fails('OUT_OF_RANGE', /20 batches of 8 rows/, () =>
    diagnostics.noiseScale(net, x, oneHot, { batchSize: 8, batches: 20 }),
  );
  await fails('UNKNOWN_OPTION', /Did you mean "batchSize"/, () =>
    diagnostics.gradientNorm(net, x, oneHot, { batchsize: 3 } as never),
  );
  await fails('OUT_OF_RANGE', /tolerance/, () => diagnostics.sharpness(net, x, oneHot, { tolerance: 0 }));
  await fails('INVALID_ARGUMENT', /method/, () => diagnostics.sharpness(net, x, oneHot, { method: 'qr' as never }));
  await fails('INVALID_ARGUMENT', /range/, () => diagnostics.lossSurface(net, x, oneHot, { range: [1] as never }));
  await fails('OUT_OF_RANGE', /range\[1\]/, () => diagnostics.lossSurface(net, x, oneHot, { range: [1, 1] }));
  await fails('INVALID_ARGUMENT', /directions/, () =>
    diagnostics.lossSurface(net, x, oneHot, { directions: 'x' as never }),
  );
  await fails('SHAPE_MISMATCH', /dense\/kernel must have shape \[2, 16\]/, () =>
    diagnostics.lossSurface(net, x, oneHot, { directions: [[[1], [1], [1], [1]], []] }),
  );
  net.setWeights(net.getWeights().map((weight, i) => (i === 0 ? new Float32Array(32).fill(Number.NaN) : weight)));
  await fails('NON_FINITE', /Hessian/, () => diagnostics.sharpness(net, x, oneHot));
  expect((await diagnostics.gradientNorm(net, x, oneHot)).norm).toBeNaN();
  expect((await diagnostics.curvature(net, x, oneHot)).verdict).toMatch(/^not finite/);
  expect((await diagnostics.initialSpread(net, x, oneHot)).verdict).toMatch(/not finite in layer "dense"/);
  net.dispose();
  await fails('DISPOSED', /disposed/, () => diagnostics.gradientNorm(net, x, oneHot));
});
