// What others do while a model trains: predictions, copies of weights, other models, thread counts.
import { binding } from '../../lib/binding/index.js';
import { layers, type Model, optimizers, seed, sequential, setThreads } from 'downhill';
import { afterAll, expect, test } from 'vitest';
import { classifier, quadrants, randomArray } from '../support.js';

const threads = binding.threads();
afterAll(() => setThreads(threads));

const RATE = 2 ** -10;

/** Every step adds rate to each weight: all weights are equal after each finished step. */
function counter(units: number, depth: number): Model {
  const net = sequential(
    Array.from({ length: depth }, (_, i) =>
      layers.dense({ units, useBias: false, kernelInitializer: 'zeros', ...(i === 0 ? { inputShape: [units] } : {}) }),
    ),
  );
  net.compile({ optimizer: optimizers.sgd({ learningRate: 1, clipValue: RATE }), loss: (_, p) => p });
  return net;
}

test('getWeights copies one finished step', async () => {
  // One layer: the gradient of a mean of outputs with respect to W is positive for positive inputs, and clipped to a constant.
  const net = counter(300, 1);
  const x = new Float32Array(300 * 4).fill(1e9);
  const fitting = net.fit(x, new Float32Array(300 * 4), { batchSize: 1, epochs: 600 });
  let running = true;
  void fitting.finally(() => {
    running = false;
  });
  const seen = new Set<number>();
  while (running) {
    const [kernel] = net.getWeights();
    const values = kernel.dataSync();
    const first = values[0];
    expect(values.every((value) => value === first)).toBe(true);
    seen.add(first);
    await new Promise((resolve) => setTimeout(resolve, 0));
  }
  await fitting;
  expect(seen.size).toBeGreaterThan(3);
});

test('predict sees one finished step, over all its batches', async () => {
  const net = counter(200, 1);
  const x = new Float32Array(200 * 4).fill(1e9);
  const ones = new Float32Array(200 * 500).fill(1);
  const fitting = net.fit(x, new Float32Array(200 * 4), { batchSize: 1, epochs: 1000 });
  let running = true;
  void fitting.finally(() => {
    running = false;
  });
  const seen = new Set<number>();
  while (running) {
    const [outputs, { loss }] = await Promise.all([
      net.predict(ones, { batchSize: 16 }),
      net.evaluate(ones, ones, { batchSize: 16 }),
    ]);
    const values = outputs.dataSync();
    const first = values[0];
    expect(values.every((value) => value === first)).toBe(true);
    // The rate is a power of two: sums are exact, so that a mean of several steps would not be a multiple of it.
    expect(Number.isInteger(loss / (200 * RATE))).toBe(true);
    seen.add(first);
  }
  await fitting;
  expect(seen.size).toBeGreaterThan(3);
});

test('several models train at once and get what they get alone', async () => {
  const { x, oneHot } = quadrants(200);
  const train = async (i: number) => {
    const net = classifier();
    net.setWeights(initial[i]);
    await net.fit(x, oneHot, { epochs: 20, batchSize: 8 + i, shuffle: false });
    return net.getWeights().map((weight) => [...weight.dataSync()]);
  };
  const initial = Array.from({ length: 5 }, () => classifier().getWeights());
  const alone: number[][][] = [];
  for (let i = 0; i < 5; i++) alone.push(await train(i));
  expect(await Promise.all(initial.map((_, i) => train(i)))).toEqual(alone);
});

test('several evaluations and predictions of one model at once', async () => {
  const { x, oneHot } = quadrants(300);
  const net = classifier();
  const expected = [await net.evaluate(x, oneHot), [...(await net.predict(x)).dataSync()]];
  const found = await Promise.all(
    Array.from({ length: 8 }, async () => [await net.evaluate(x, oneHot), [...(await net.predict(x)).dataSync()]]),
  );
  for (const result of found) expect(result).toEqual(expected);
});

test('setWeights during a fit is seen by the next step', async () => {
  const { x, oneHot } = quadrants(64);
  const net = classifier();
  const saved = net.getWeights();
  net.compile({ optimizer: optimizers.sgd({ learningRate: 0 }), loss: 'categoricalCrossentropy' });
  const { history } = await net.fit(x, oneHot, {
    epochs: 3,
    callbacks: [
      { onEpochEnd: (epoch: number) => epoch === 0 && net.setWeights(saved.map((w) => new Float32Array(w.size))) },
    ],
  });
  expect(history.loss[1]).toBeCloseTo(Math.LN2, 6);
  expect(history.loss[0]).not.toBeCloseTo(Math.LN2, 6);
});

/** The weights after a run with dropout, shuffling and a partial batch. */
async function trained(count: number): Promise<number[][]> {
  setThreads(count);
  seed(21);
  const net = sequential([
    layers.dense({ units: 128, activation: 'gelu', inputShape: [100] }),
    layers.dropout({ rate: 0.3 }),
    layers.dense({ units: 64, activation: 'tanh', kernelRegularizer: 'l2' }),
    layers.dense({ units: 10, activation: 'softmax' }),
  ]);
  net.compile({
    optimizer: optimizers.adam({ learningRate: 0.01, globalClipNorm: 1 }),
    loss: 'sparseCategoricalCrossentropy',
    metrics: ['accuracy'],
  });
  const labels = Int32Array.from({ length: 700 }, (_, i) => (i * 13) % 10);
  const { history } = await net.fit(randomArray(70_000, 1), labels, {
    batchSize: 128,
    epochs: 3,
    validationSplit: 0.2,
  });
  return [...Object.values(history), ...net.getWeights().map((weight) => [...weight.dataSync()])];
}

test('the same seed gives bit-identical weights and numbers at 1, 2, 3 and 4 threads', async () => {
  const expected = await trained(1);
  expect(expected.flat().every(Number.isFinite)).toBe(true);
  for (const count of [2, 3, 4, 1]) expect(await trained(count)).toEqual(expected);
});

test('a step allocates nothing', async () => {
  const { x, oneHot } = quadrants(512);
  const net = classifier();
  const allocations: number[] = [];
  await net.fit(x, oneHot, {
    batchSize: 8,
    epochs: 3,
    callbacks: [{ onTrainBatchEnd: () => allocations.push(binding.memory().allocations) }],
  });
  expect(allocations.length).toBe(192);
  expect(allocations.at(-1)).toBe(allocations[0]);
});

test('neither training nor copies of its weights allocate anything while others read', async () => {
  const net = counter(64, 2);
  const x = new Float32Array(64 * 4).fill(1);
  const controller = new AbortController();
  const fitting = net.fit(x, x, { batchSize: 1, epochs: 1_000_000, signal: controller.signal }).catch(() => {});
  const rows = new Float32Array(64 * 100);
  const read = async (count: number) => {
    for (let i = 0; i < count; i++) {
      (await net.predict(rows.subarray(0, 64))).dispose();
      (await net.predict(rows, { batchSize: 16 })).dispose(); // of a copy: several batches see one step
    }
    return binding.memory().allocations;
  };
  const few = await read(5);
  const many = await read(100);
  controller.abort();
  await fitting;
  // The rows and the outputs of each, and little more where a copy was in use.
  expect(many - few).toBeLessThan(100 * (2 + 2) + 20);
});

test('models give their memory back', async () => {
  const { x, oneHot } = quadrants(64);
  const run = async () => {
    const net = classifier();
    await net.fit(x, oneHot, { epochs: 2, validationSplit: 0.5 });
    (await net.predict(x)).dispose();
    net.dispose();
  };
  await run();
  (globalThis as { gc?: () => void }).gc?.();
  const { bytes } = binding.memory();
  for (let i = 0; i < 20; i++) await run();
  // Data sets and optimizers' slots wait for garbage collection; parameters and gradients do not.
  expect(binding.memory().bytes - bytes).toBeLessThan(20 * 64 * 1024);
});
