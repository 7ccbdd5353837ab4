// Skipped updates, loss scales and adaptive clipping, in updates of a user's own and in fits. Numbers against Keras: test/golden.
import { join } from 'node:path';
import {
  callbacks,
  deserialize,
  layers,
  loadModel,
  type Model,
  ops,
  optimizers,
  seed,
  sequential,
  serialize,
  setDevice,
  tensor,
  variable,
} from 'downhill';
import { afterAll, beforeAll, describe, expect, it, test } from 'vitest';
import { failure } from '../errors.js';
import { temporaryFolder } from '../io/files.js';
import { goHome, testDevices } from '../support-devices.js';

const folder = temporaryFolder();
const bits = (net: Model) =>
  net.getWeights().flatMap((w) => [...new Uint32Array((w.dataSync() as Float32Array).slice().buffer)]);

/** Exact on every device: inputs are multiples of 1/16; gradients of the loss are sums of them, times 2^18. */
const [rows, width] = [20, 24];
const x = Float32Array.from({ length: rows * width }, (_, i) => ((Math.imul(i + 1, 0x9e3779b1) >>> 8) % 33) / 16 - 1);
const y = new Float32Array(rows * 4);
function network(device: string, options: optimizers.OptimizerOptions): Model {
  seed(6);
  const net = sequential([layers.dropout({ rate: 0.5, inputShape: [width] }), layers.dense({ units: 4 })], { device });
  const optimizer = optimizers.adam({ learningRate: 0.125, epsilon: 0.5, ...options });
  net.compile({ optimizer, loss: (_, p) => ops.mul(p, 2 ** 18) });
  return net;
}
const overflowing = { lossScale: { initialScale: 2 ** 120, growthSteps: 3 } };
const options: Record<string, optimizers.OptimizerOptions> = {
  plain: overflowing,
  accumulation: { ...overflowing, gradientAccumulationSteps: 3 },
  'average and clipNorm': { ...overflowing, useEma: true, emaOverwriteFrequency: 3, clipNorm: 0.5 },
  'schedule of one’s own': { ...overflowing, gradientAccumulationSteps: 2, learningRate: (k) => 2 ** -k },
};
const fit = (net: Model, extra = {}) => net.fit(x, y, { batchSize: 4, epochs: 6, ...extra });
const state = (net: Model) => {
  const { iterations, skipped, lossScale, steps } = net.compiled!.optimizer;
  return { iterations, skipped, lossScale, steps };
};

describe.each(testDevices)('on %s', (device) => {
  beforeAll(() => setDevice(device));
  afterAll(goHome);

  it('skips an update with a gradient that is not finite, and nothing else', async () => {
    const optimizer = optimizers.sgd({ learningRate: (step) => 1 / 2 ** step, momentum: 0.5, skipNonFinite: true });
    const [v, w] = [variable([1, 1]), variable([1])];
    const update = (a: number[], b: number) =>
      optimizer.applyGradients([
        [tensor(a), v],
        [tensor([b]), w],
      ]);
    await update([1, 0], 0);
    expect([...v.dataSync(), ...w.dataSync()]).toEqual([0, 1, 1]);
    for (const bad of [Number.NaN, Infinity, -Infinity]) await update([0, 1], bad);
    await update([Number.NaN, 0], 1);
    expect([...v.dataSync(), ...w.dataSync()]).toEqual([0, 1, 1]);
    expect([optimizer.iterations, optimizer.skipped, optimizer.steps]).toEqual([1, 4, 5]);
    expect(optimizer.learningRate).toBe(0.5);
    await update([0, 1], 1);
    expect([...v.dataSync(), ...w.dataSync()]).toEqual([-0.5, 0.5, 0.5]);
    optimizer.iterations = 7;
    expect([optimizer.iterations, optimizer.skipped]).toEqual([7, 4]);
  });

  it('without it, lets NaN through', async () => {
    const v = variable([1, 1]);
    await optimizers.sgd().applyGradients([[tensor([Number.NaN, 0]), v]]);
    expect([...v.dataSync()]).toEqual([Number.NaN, 1]);
  });

  it('skips a mean that is not finite, and accumulates anew', async () => {
    const optimizer = optimizers.sgd({ learningRate: 1, gradientAccumulationSteps: 2, skipNonFinite: true });
    const v = variable([0]);
    const values: number[] = [];
    for (const g of [Infinity, 1, 1, Infinity, -Infinity, Infinity, 1, 3]) {
      await optimizer.applyGradients([[tensor([g]), v]]);
      values.push(v.dataSync()[0]!);
    }
    expect(values).toEqual([0, 0, 0, 0, 0, 0, 0, -2]);
    expect([optimizer.iterations, optimizer.skipped, optimizer.steps]).toEqual([1, 3, 8]);
  });

  it('a scale that is a power of two changes no bit of minimize, and the loss is the unscaled one', async () => {
    const run = async (extra: optimizers.OptimizerOptions) => {
      const w = variable([1.5, -2, 0.3]);
      const optimizer = optimizers.adam({ learningRate: 0.1, clipNorm: 0.7, ...extra });
      const losses: number[] = [];
      for (let i = 0; i < 5; i++) {
        const loss = await optimizer.minimize(() => ops.sum(ops.square(w)), [w]);
        losses.push(loss.dataSync()[0]!);
      }
      return [...losses, ...w.dataSync()];
    };
    const plain = await run({});
    expect(await run({ lossScaleFactor: 1024 })).toEqual(plain);
    expect(await run({ lossScale: { initialScale: 1024, growthSteps: 2 } })).toEqual(plain);
    expect(await run({ lossScale: 'dynamic' })).toEqual(plain);
  });

  it('minimize multiplies the loss before it is differentiated', async () => {
    // The gradient, 1e-30 · 1e-10, would be denormal after the first product and 0 after the second.
    const run = async (extra: optimizers.OptimizerOptions) => {
      const w = variable([1]);
      const optimizer = optimizers.sgd({ learningRate: 2 ** 126, ...extra });
      await optimizer.minimize(() => ops.sum(ops.mul(ops.mul(ops.mul(w, 2 ** 60), 2 ** -100), 2 ** -100)), [w]);
      return w.dataSync()[0];
    };
    expect(await run({ lossScaleFactor: 2 ** 60 })).toBe(1 - 2 ** -14);
    expect(await run({ lossScale: { initialScale: 2 ** 60 } })).toBe(1 - 2 ** -14);
    expect(await run({})).toBe(1);
  });

  test.each(Object.entries(options))('fit with a scale that overflows at first: %s', async (_, extra) => {
    const net = network(device, extra);
    await fit(net);
    const cpu = network('cpu', extra);
    await fit(cpu);
    expect(bits(net)).toEqual(bits(cpu));
    expect(state(net)).toEqual(state(cpu));
    const { iterations, skipped, lossScale, steps } = state(net);
    expect(steps).toBe(30);
    expect(skipped).toBeGreaterThan(1);
    expect(iterations).toBe(steps / (extra.gradientAccumulationSteps ?? 1) - skipped);
    expect(Math.log2(lossScale) % 1).toBe(0);
    expect(net.getWeights().every((w) => (w.dataSync() as Float32Array).every(Number.isFinite))).toBe(true);
    // Launches of other lengths.
    const single = network(device, extra);
    await fit(single, { callbacks: [callbacks.lambda({ onTrainBatchEnd: () => {} })] });
    expect(bits(single)).toEqual(bits(net));
    expect(state(single)).toEqual(state(net));
  });

  test.each(Object.entries(options))('goes on from a file to the bit: %s', async (name, extra) => {
    const straight = network(device, extra);
    await fit(straight);
    const path = join(folder, `${device.replace(':', '-')}-${Object.keys(options).indexOf(name)}.safetensors`);
    const first = network(device, extra);
    let done = 0;
    const save = callbacks.lambda({
      onTrainBatchEnd: async () => {
        if (++done === 13) await first.save(path);
      },
    });
    await fit(first, { callbacks: [save] });
    const second = network(device, extra);
    await fit(second, { resume: path, callbacks: [callbacks.lambda({ onTrainBatchEnd: () => {} })] });
    expect(bits(second)).toEqual(bits(straight));
    expect(state(second)).toEqual(state(straight));
    if (typeof extra.learningRate === 'function') return;
    const finished = join(folder, 'finished.safetensors');
    await straight.save(finished);
    const loss = (_: unknown, p: never) => ops.mul(p, 2 ** 18);
    const loaded = await loadModel(finished, { customObjects: { loss } });
    expect(state(loaded)).toEqual(state(straight));
  });

  it('trainOnBatch scales and skips as well', async () => {
    const net = network(device, overflowing);
    const before = bits(net);
    await net.trainOnBatch(x.subarray(0, 4 * width), y.subarray(0, 16));
    expect(state(net)).toEqual({ iterations: 0, skipped: 1, lossScale: 2 ** 119, steps: 1 });
    expect(bits(net)).toEqual(before);
  });

  it('fit with skipNonFinite outlives a batch that overflows', async () => {
    const inputs = Float32Array.from({ length: 8 }, (_, i) => (i === 4 ? 3e38 : 1));
    const run = async (skipNonFinite: boolean) => {
      seed(1);
      const net = sequential([layers.dense({ units: 1, inputShape: [2], kernelInitializer: 'ones' })], { device });
      net.compile({ optimizer: optimizers.sgd({ skipNonFinite }), loss: 'meanSquaredError' });
      const given = { batchSize: 1, epochs: 2, shuffle: false, onNonFinite: 'ignore' } as const;
      await net.fit(inputs, new Float32Array(4), given);
      return net;
    };
    expect((await run(false)).getWeights().some((w) => (w.dataSync() as Float32Array).some(Number.isNaN))).toBe(true);
    const net = await run(true);
    expect(state(net)).toMatchObject({ iterations: 6, skipped: 2, lossScale: 1 });
    expect(net.getWeights().every((w) => (w.dataSync() as Float32Array).every(Number.isFinite))).toBe(true);
  });

  it('clips by units: columns of kernels, whole vectors; outputs of kernels of convolutions', async () => {
    const unit = async (shape: number[], w: number[], g: number[]) => {
      const v = variable(tensor(w, shape));
      await optimizers.sgd({ learningRate: 1, adaptiveClipFactor: 0.5 }).applyGradients([[tensor(g, shape), v]]);
      return w.map((value, i) => value - v.dataSync()[i]!);
    };
    // ‖w‖ of the columns 5 and 0: limits 2.5 and 0.5 · 0.001.
    expect(await unit([2, 2], [3, 0, 4, 0], [8, 3, 6, 4])).toEqual(
      [2, 3, 1.5, 4].map((v, i) => (i % 2 ? expect.closeTo(v * 1e-4, 8) : v)),
    );
    expect(await unit([4], [4, 0, 0, 3], [0, 3, 4, 0])).toEqual([0, 1.5, 2, 0]);
    expect(await unit([1, 4], [4, 0, 0, 3], [0, 3, 4, 0])).toEqual([0, 1.5, 2, 0]);
    expect(await unit([4], [4, 0, 0, 3], [0, 1, 2, 0])).toEqual([0, 1, 2, 0]);
    // (height, width, in, out): one unit per output.
    expect(await unit([1, 2, 2, 2], [3, 1, 0, 0, 0, 0, 4, 0], [8, 0, 0, 0, 0, 0, 6, 0.25])).toEqual([
      2, 0, 0, 0, 0, 0, 1.5, 0.25,
    ]);
    // (in, heads, units): one per head and unit.
    expect(await unit([2, 1, 2], [3, 1, 4, 0], [8, 0, 6, 0.25])).toEqual([2, 0, 1.5, 0.25]);
    const scalar = variable(2);
    await optimizers.sgd({ learningRate: 1, adaptiveClipFactor: 0.5 }).applyGradients([[tensor(3), scalar]]);
    expect(scalar.dataSync()[0]).toBe(1);
  });

  it('leaves groups without adaptive clipping alone', async () => {
    const groups = [{ match: 'out', adaptiveClipFactor: null }];
    const optimizer = optimizers.sgd({ learningRate: 1, adaptiveClipFactor: 0.5, groups });
    const [a, b] = ['in', 'out'].map((name) => variable([4, 3], { name }));
    await optimizer.applyGradients([
      [tensor([3, 4]), a!],
      [tensor([3, 4]), b!],
    ]);
    expect([...a!.dataSync(), ...b!.dataSync()]).toEqual([2.5, 1, 1, -1]);
  });
});

it('configs hold the options', () => {
  const given = { lossScale: { initialScale: 8, growthSteps: 5 }, skipNonFinite: true, adaptiveClipFactor: 0.01 };
  const optimizer = optimizers.lamb(given);
  expect(optimizer.getConfig()).toMatchObject(given);
  const again = deserialize('optimizer', JSON.parse(JSON.stringify(serialize(optimizer))));
  expect([again.lossScale, again.getConfig()]).toEqual([8, optimizer.getConfig()]);
  expect(optimizers.sgd({ lossScale: 'dynamic' }).lossScale).toBe(2 ** 15);
  expect(optimizers.sgd({ lossScale: 'dynamic', preset: 'torch' }).lossScale).toBe(2 ** 16);
  expect(optimizers.sgd({ lossScaleFactor: 3 }).lossScale).toBe(3);
  expect(optimizers.sgd().lossScale).toBe(1);
});

it('refuses options that make no sense', () => {
  const make = (given: object) => failure(() => optimizers.sgd(given as never));
  expect(make({ lossScaleFactor: 2, lossScale: 'dynamic' })).toMatchObject({ code: 'INVALID_ARGUMENT' });
  expect(make({ lossScale: 'static' })).toMatchObject({ code: 'INVALID_ARGUMENT' });
  expect(make({ lossScale: 1024 })).toMatchObject({ message: expect.stringContaining('lossScaleFactor') });
  expect(make({ lossScale: { initalScale: 1 } })).toMatchObject({ code: 'UNKNOWN_OPTION' });
  expect(make({ lossScale: { initialScale: 0 } })).toMatchObject({ code: 'OUT_OF_RANGE' });
  expect(make({ lossScale: { growthSteps: 0 } })).toMatchObject({ code: 'OUT_OF_RANGE' });
  expect(make({ lossScaleFactor: 0 })).toMatchObject({ code: 'OUT_OF_RANGE' });
  expect(make({ skipNonFinite: 1 })).toMatchObject({ code: 'INVALID_ARGUMENT' });
  expect(make({ adaptiveClipFactor: 0 })).toMatchObject({ code: 'OUT_OF_RANGE' });
  expect(make({ adaptiveClipFactor: 1, clipNorm: 1 })).toMatchObject({
    message: expect.stringContaining('at most one'),
  });
});
