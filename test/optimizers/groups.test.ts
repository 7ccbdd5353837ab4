// Parameter groups: who is in which, options, rates, configs, files. Numbers against PyTorch: test/golden.
import { join } from 'node:path';
import {
  deserialize,
  layers,
  loadModel,
  type Model,
  optimizers,
  regularizers,
  schedules,
  seed,
  sequential,
  serialize,
  setDevice,
  tensor,
  variable,
} from 'downhill';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { failure } from '../errors.js';
import { goHome, testDevices } from '../support-devices.js';
import { temporaryFolder } from '../io/files.js';

const folder = temporaryFolder();

/** Value of each variable after updates with gradients of 1. */
async function updated(optimizer: optimizers.Optimizer, names: string[], updates = 1): Promise<number[]> {
  const variables = names.map((name) => variable([1], { name }));
  for (let i = 0; i < updates; i++) await optimizer.applyGradients(variables.map((v) => [tensor([1]), v]));
  return variables.map((v) => v.dataSync()[0]!);
}

async function warnings(body: () => Promise<unknown>): Promise<string[]> {
  const found: string[] = [];
  const listen = (warning: Error) => found.push(warning.message);
  process.on('warning', listen);
  await body();
  await new Promise((resolve) => setImmediate(resolve));
  process.off('warning', listen);
  return found;
}
const f32 = Math.fround;

describe.each(testDevices)('groups on %s', (device) => {
  beforeAll(() => setDevice(device));
  afterAll(goHome);

  it('takes the first group that matches, by RegExp, name or list; the rest has the optimizer’s options', async () => {
    const optimizer = optimizers.sgd({
      learningRate: 0.5,
      groups: [
        { match: /bias/, learningRate: 0.25 },
        { match: 'a/kernel', learningRate: 0.125 },
        { match: ['b/kernel', 'b/bias'], learningRate: 0 },
      ],
    });
    const names = ['a/kernel', 'a/bias', 'b/kernel', 'b/bias', 'c/kernel'];
    expect(await updated(optimizer, names)).toEqual([0.875, 0.75, 1, 0.75, 0.5]);
  });

  it('gives groups decay, clips and numbers of the rule', async () => {
    const optimizer = optimizers.sgd({
      learningRate: 0.5,
      weightDecay: 0.5,
      clipValue: 0.5,
      groups: [
        { match: 'none', weightDecay: 0, clipValue: null },
        { match: 'norm', weightDecay: null, clipNorm: 0.25 },
        { match: 'momentum', momentum: 0.5, weightDecay: 0 },
      ],
    });
    // Decay 1 - 0.25, then the step; clipNorm stands in place of clipValue; momentum 0.5 adds half of the step before.
    expect(await updated(optimizer, ['rest', 'none', 'norm', 'momentum'])).toEqual([0.5, 0.5, 0.875, 0.75]);
    expect(await updated(optimizer, ['momentum'], 2)).toEqual([1 - 0.25 - 0.375]);
  });

  it('gives a group its schedule, also one of the user’s own', async () => {
    const optimizer = optimizers.sgd({
      learningRate: schedules.piecewise({ boundaries: [0], values: [0.5, 0.25] }),
      groups: [
        { match: 'own', learningRate: (step) => 0.125 * (step + 1) },
        { match: 'fixed', learningRate: 0.5 },
      ],
    });
    expect(await updated(optimizer, ['rest', 'own', 'fixed'], 2)).toEqual([0.25, 1 - 0.125 - 0.25, 0]);
    expect(optimizer.groups.map((group) => group.learningRate)).toEqual([0.375, 0.5]);
  });

  it('begins slots where the options of their group say', async () => {
    const adagrad = { learningRate: 1, initialAccumulatorValue: 3, epsilon: 0 };
    const groups = [{ match: 'own', initialAccumulatorValue: 0 }, { match: 'zero' }];
    // 1 − 1/√(start + 1)
    expect(await updated(optimizers.adagrad({ ...adagrad, groups }), ['rest', 'own', 'zero'])).toEqual([0.5, 0, 0.5]);
    const rates = [{ match: 'own', learningRate: 0.25 }];
    expect(await updated(optimizers.rprop({ learningRate: 0.5, groups: rates }), ['rest', 'own'])).toEqual([0.5, 0.75]);
  });

  it('sets rates: the optimizer’s for all without their own, a group’s for itself', async () => {
    const optimizer = optimizers.sgd({
      learningRate: 0.5,
      groups: [
        { match: 'own', learningRate: 0.25 },
        { match: 'same', weightDecay: 0 },
      ],
    });
    const variables = ['rest', 'own', 'same'].map((name) => variable([1], { name }));
    const update = () => optimizer.applyGradients(variables.map((v) => [tensor([1]), v]));
    await update();
    optimizer.learningRate = 0.125;
    expect(optimizer.groups.map((group) => group.learningRate)).toEqual([0.25, 0.125]);
    await update();
    expect(variables.map((v) => v.dataSync()[0])).toEqual([0.375, 0.5, 0.375]);
    optimizer.groups[1]!.learningRate = 0;
    optimizer.groups[0]!.learningRate = 0.5;
    optimizer.learningRate = 0.25;
    await update();
    expect(variables.map((v) => v.dataSync()[0])).toEqual([0.125, 0, 0.375]);
  });

  it('keeps weights out of decay in a fit, and net.setLearningRate leaves groups with their own rate', async () => {
    seed(3);
    const net = sequential([layers.dense({ units: 2, inputShape: [2], biasInitializer: 'ones' })], { device });
    const groups = [{ match: /bias$/, weightDecay: 0, learningRate: 0 }];
    net.compile({ optimizer: optimizers.sgd({ learningRate: 0, weightDecay: 0.5, groups }), loss: 'meanSquaredError' });
    net.setLearningRate(0.5);
    const [kernel] = net.getWeights().map((w) => [...(w.dataSync() as Float32Array)]);
    await net.fit(new Float32Array(8), new Float32Array(8).fill(1), { batchSize: 4, epochs: 1, shuffle: false });
    const [then, bias] = net.getWeights().map((w) => [...(w.dataSync() as Float32Array)]);
    expect(then).toEqual(kernel!.map((w) => f32(w * 0.75)));
    expect(bias).toEqual([1, 1]);
  });
});

it('a config holds groups, regular expressions and schedules, and makes an equal optimizer', async () => {
  const optimizer = optimizers.adam({
    learningRate: 0.5,
    groups: [
      { match: /Bias$/i, beta1: 0.5, learningRate: schedules.exponential({ initial: 0.5, rate: 0.5, steps: 1 }) },
      { match: ['a', 'NaN'], weightDecay: 0.25, epsilon: 0 },
      { match: 'Infinity', clipNorm: 0.5 },
    ],
  });
  optimizer.groups[1]!.learningRate = 0.125;
  const text = JSON.parse(JSON.stringify(serialize(optimizer)));
  expect(text.config.groups).toMatchObject([
    { match: { regExp: 'Bias$', flags: 'i' }, beta1: 0.5, learningRate: { className: 'ExponentialDecay' } },
    { match: ['a', 'NaN'], weightDecay: 0.25, epsilon: 0, learningRate: 0.125 },
    { match: 'Infinity', clipNorm: 0.5 },
  ]);
  const again = deserialize('optimizer', text);
  expect(JSON.stringify(serialize(again))).toBe(JSON.stringify(text));
  const names = ['x/bias', 'a', 'NaN', 'Infinity', 'rest'];
  expect(await updated(again, names, 3)).toEqual(await updated(optimizer, names, 3));
});

it('warns once of a group or a name that matches nothing', async () => {
  const optimizer = optimizers.sgd({
    groups: [{ match: /gamma/, weightDecay: 0 }, { match: ['a', 'typo'], weightDecay: 0 }, { match: /a/ }],
  });
  const found = await warnings(async () => {
    await updated(optimizer, ['a', 'b']);
    await updated(optimizer, ['a', 'b', 'c']);
  });
  expect(found).toEqual([
    'optimizers.sgd: groups[0]: /gamma/ matches none of the variables that are updated: a, b.',
    'optimizers.sgd: groups[1]: typo matches none of the variables that are updated: a, b.',
  ]);
});

it('refuses groups that make no sense', () => {
  const make = (group: unknown) => failure(() => optimizers.sgd({ momentum: 0.5, groups: [group as never] }));
  expect(failure(() => optimizers.sgd({ groups: {} as never }))).toMatchObject({ code: 'INVALID_ARGUMENT' });
  expect(make(5)).toMatchObject({ code: 'INVALID_ARGUMENT', message: expect.stringContaining('groups[0]') });
  for (const match of [undefined, '', [], [5], 5, {}, { regExp: '(' }])
    expect(make({ match }), String(match)).toMatchObject({
      code: 'INVALID_ARGUMENT',
      message: expect.stringContaining('groups[0]: match'),
    });
  expect(make({ match: /a/, weightDecai: 1 })).toMatchObject({
    code: 'UNKNOWN_OPTION',
    message: expect.stringMatching(/groups\[0\].*weightDecay/),
  });
  expect(make({ match: /a/, weightDecay: -1 })).toMatchObject({
    code: 'OUT_OF_RANGE',
    message: expect.stringContaining('groups[0]'),
  });
  expect(make({ match: /a/, clipNorm: 1, clipValue: 1 })).toMatchObject({
    code: 'INVALID_ARGUMENT',
    message: expect.stringContaining('at most one'),
  });
  expect(make({ match: /a/, useEma: true })).toMatchObject({
    code: 'INVALID_ARGUMENT',
    message: expect.stringContaining('whole optimizer'),
  });
  expect(make({ match: /a/, preset: 'torch' })).toMatchObject({
    code: 'INVALID_ARGUMENT',
    message: expect.stringContaining('whole optimizer'),
  });
  expect(make({ match: /a/, nesterov: true })).toMatchObject({
    code: 'INVALID_ARGUMENT',
    message: expect.stringContaining('momentum and nesterov'),
  });
  expect(() => optimizers.sgd({ momentum: 0.5, groups: [{ match: /a/, momentum: 0 }] })).not.toThrow();
  expect(failure(() => optimizers.sgd({ globalClipNorm: 1, groups: [{ match: /a/, clipNorm: 1 }] }))).toMatchObject({
    message: expect.stringContaining('at most one'),
  });
});

describe('files', () => {
  const rows = 16;
  const x = Float32Array.from({ length: rows * 3 }, (_, i) => Math.sin(i));
  const y = Float32Array.from({ length: rows * 2 }, (_, i) => Math.cos(i));
  const build = (rate = 0.125): Model => {
    seed(5);
    const net = sequential([
      layers.dense({ units: 4, inputShape: [3], activation: 'tanh', name: 'a' }),
      layers.dense({ units: 2, name: 'b', kernelRegularizer: regularizers.l2({ l2: 0.01 }) }),
    ]);
    const groups = [
      { match: /bias/, learningRate: rate, weightDecay: 0 },
      { match: 'b/kernel', beta1: 0.5 },
    ];
    net.compile({
      optimizer: optimizers.adam({ learningRate: 0.01, weightDecay: 0.1, groups }),
      loss: 'meanSquaredError',
    });
    return net;
  };
  const bits = (net: ReturnType<typeof build>) => net.getWeights().map((w) => [...(w.dataSync() as Float32Array)]);

  it('go on to the bit, with the rates of the groups', async () => {
    const straight = build();
    await straight.fit(x, y, { batchSize: 4, epochs: 2 });
    straight.compiled!.optimizer.groups[0]!.learningRate = 0.5;
    const path = join(folder, 'groups.safetensors');
    await straight.save(path);
    const loaded = await loadModel(path);
    const resumed = build(0.25);
    await resumed.fit(x, y, { batchSize: 4, epochs: 4, resume: path });
    seed(9);
    for (const net of [straight, loaded]) await net.fit(x, y, { batchSize: 4, epochs: 2, shuffle: false });
    expect(bits(loaded)).toEqual(bits(straight));
    expect(resumed.compiled!.optimizer.groups[0]!.learningRate).toBe(0.5);
    const again = build();
    await again.fit(x, y, { batchSize: 4, epochs: 4, resume: path });
    expect(bits(again)).toEqual(bits(resumed)); // built with another rate: the file's counts
  });

  it('of other groups are refused', async () => {
    const path = join(folder, 'other.safetensors');
    await build().save(path);
    const net = build();
    const groups = [
      { match: /bias/, learningRate: 0.125, weightDecay: 0.5 },
      { match: 'b/kernel', beta1: 0.5, learningRate: 0.5 },
    ];
    net.compile({
      optimizer: optimizers.adam({ learningRate: 0.01, weightDecay: 0.1, groups }),
      loss: 'meanSquaredError',
    });
    const error = await net.fit(x, y, { resume: path, batchSize: 4 }).catch((thrown: Error) => thrown);
    expect(String(error)).toMatch(
      /groups\[0\]\.weightDecay: 0 in the file, 0.5 here.*groups\[1\]\.learningRate: nothing in the file, 0.5 here/,
    );
  });
});
