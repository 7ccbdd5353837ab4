// Where the time of a step goes: what is in a profile, and that making one changes nothing.
import { Worker } from 'node:worker_threads';
import {
  compile,
  constraints,
  data,
  layers,
  losses,
  type Model,
  ops,
  optimizers,
  type Profile,
  type ProfileLimits,
  sequential,
  type SymbolicTensor,
  seed,
  tensor,
  variable,
} from 'downhill';
import { expect, test } from 'vitest';
import { accelerators } from '../support-devices.js';
import { fails, quadrants, randomArray } from '../support.js';

const runs = 3;
const unit: ProfileLimits = { gflops: 1, gigabytes: 1, cachedGigabytes: 1 };

function classifier(optimizer: optimizers.OptimizerLike, drop = 0): Model {
  const net = sequential([
    layers.dense({ units: 16, activation: 'relu', inputShape: [2], kernelConstraint: constraints.maxNorm() }),
    ...(drop > 0 ? [layers.dropout({ rate: drop })] : []),
    layers.dense({ units: 2, activation: 'softmax' }),
  ]);
  net.compile({ optimizer, loss: losses.sparseCategoricalCrossentropy() });
  return net;
}

/** The steps that describe() lists: op and shapes. */
function described(text: string): string[] {
  const lines = text.trim().split('\n').slice(0, -1);
  return lines.map((line) => line.replace(/^ *\d+ +(\S+) +(.*?) -> (.*?\])(?!\s\[).*$/, '$1'));
}

function consistent(profile: Profile): void {
  const { steps, microseconds } = profile;
  expect(microseconds).toBeGreaterThan(0);
  for (const step of steps) {
    expect(step.share).toBeCloseTo(step.microseconds / microseconds, 12);
    expect(step.microseconds).toBeGreaterThanOrEqual(0);
    if (step.microseconds === 0) continue;
    expect(step.gflops).toBeCloseTo(step.flops / step.microseconds / 1e3, 9);
    expect(step.gigabytes).toBeCloseTo(step.bytes / step.microseconds / 1e3, 9);
  }
  expect(profile.flops).toBe(steps.reduce((sum, { flops }) => sum + flops, 0));
  expect(profile.bytes).toBe(steps.reduce((sum, { bytes }) => sum + bytes, 0));
  const lines = String(profile).trim().split('\n');
  expect(lines).toHaveLength(steps.length + 5);
  steps.forEach((step, i) => {
    expect(lines[i + 1]).toMatch(new RegExp(`^ *${i}  ${step.op.replaceAll('+', '\\+')} `));
  });
}

test('a training step: gathering, the steps of the plan, the update', async () => {
  const net = classifier('adam');
  const { x, labels } = quadrants(100);
  await net.fit(x, labels, { batchSize: 20 });
  const program = net.program('train');
  const profile = await program.profile({ runs, limits: unit });
  consistent(profile);
  expect({ device: profile.device, runs: profile.runs, limits: profile.limits }).toEqual({
    device: 'cpu',
    runs,
    limits: unit,
  });
  const [gather, ...steps] = profile.steps;
  const update = steps.pop()!;
  expect(steps.map(({ op }) => op)).toEqual(described(program.describe()));
  expect(gather).toMatchObject({ op: 'gather', outputs: [[20, 2], [20]], bytes: 8 * 60, flops: 0 });
  // 2 · 16 + 16 + 16 · 2 + 2 parameters; gradient, parameter and two slots read, parameter and slots written.
  expect(update).toMatchObject({ op: 'update', label: 'adam', inputs: [[82]], bytes: 4 * 7 * 82 });
  const first = steps.find(({ op }) => op === 'matmul+bias+relu')!;
  expect(first).toMatchObject({
    label: 'dense',
    inputs: [[20, 2], [2, 16], [16]],
    outputs: [[20, 16]],
    flops: 2 * 20 * 2 * 16 + 2 * 20 * 16,
    bytes: 4 * (40 + 32 + 16 + 320),
  });
  for (const step of profile.steps) {
    if (step.microseconds === 0) continue;
    const least = Math.max(step.flops, step.bytes) / 1e3;
    expect(step.ofLimit).toBeCloseTo(least / step.microseconds, 9);
    expect(step.bound).toBe(step.flops >= step.bytes ? 'compute' : 'cache');
  }
});

test('options: rows, order, data, limits', async () => {
  const net = classifier('sgd');
  const { x, labels } = quadrants(64);
  const stored = await net.program('train').profile({ runs, batchSize: 8, shuffle: false });
  expect(stored.steps[0]).toMatchObject({ op: 'matmul+bias+relu', outputs: [[8, 16]] });
  const given = await net.program('train').profile({ runs, x, y: labels, batchSize: 100 });
  expect(given.steps[0].outputs).toEqual([[64, 2], [64]]);
  const bytes = await net.program('train').profile({ runs, x: Uint8Array.from(x), y: labels, shuffle: false });
  expect(bytes.steps[0]).toMatchObject({ op: 'gather', outputs: [[32, 2]], bytes: 5 * 64 });
  const measured = await net.program('train').profile({ runs, limits: { gigabytes: 7 } });
  expect(measured.limits.gigabytes).toBe(7);
  for (const limit of Object.values(measured.limits)) expect(limit).toBeGreaterThan(0);
  expect((await net.program('train').profile({ runs: 1 })).runs).toBe(1);
  const prediction = await net.program('predict').profile({ runs, batchSize: 4 });
  consistent(prediction);
  expect(prediction.steps.map(({ op }) => op)).toEqual(['matmul+bias+relu', 'matmul+bias', 'softmax']);
});

const state = (net: Model) => net.getWeights().map((weight) => [...weight.dataSync()]);

const rules: [string, () => optimizers.Optimizer][] = [
  ['adam with a moving average and clipping', () => optimizers.adam({ useEma: true, globalClipNorm: 1 })],
  ['a dynamic loss scale', () => optimizers.sgd({ momentum: 0.9, lossScale: { initialScale: 8, growthSteps: 3 } })],
  ['a schedule of one’s own', () => optimizers.rmsprop({ learningRate: (k: number) => 0.01 / (1 + k) })],
  ['groups', () => optimizers.adam({ groups: [{ match: /bias/, learningRate: 0.5 }] })],
  ['muon', () => optimizers.muon()],
  ['adafactor', () => optimizers.adafactor()],
  ['accumulation', () => optimizers.sgd({ gradientAccumulationSteps: 2 })],
  ['norms', () => optimizers.lamb()],
];

test.each(rules)('changes nothing: %s', async (_, make) => {
  const { x, labels } = quadrants(96);
  const trained: unknown[] = [];
  for (const profiled of [false, true]) {
    seed(5);
    const optimizer = make();
    const net = classifier(optimizer, 0.25);
    await net.fit(x, labels, { batchSize: 16 });
    if (profiled) {
      const before = state(net);
      const { steps } = await net.program('train').profile({ runs });
      expect(steps.at(-1)!.op).toBe('update');
      expect(steps.at(-1)!.microseconds).toBeGreaterThan(0);
      await net.program('predict').profile({ runs });
      expect(state(net)).toEqual(before);
    }
    const { history } = await net.fit(x, labels, { batchSize: 16, epochs: 2 });
    trained.push([state(net), history, optimizer.state, optimizer.learningRate]);
  }
  expect(trained[1]).toEqual(trained[0]);
});

test('before the first step, and of a model without weights that train', async () => {
  const net = classifier('adam');
  const before = state(net);
  consistent(await net.program('train').profile({ runs }));
  expect(state(net)).toEqual(before);
  const frozen = sequential([layers.dense({ units: 2, inputShape: [2] })]);
  frozen.layers[0].trainable = false;
  frozen.compile({ optimizer: 'adam', loss: 'mse' });
  const { steps } = await frozen.program('train').profile({ runs });
  expect(steps.at(-1)).toMatchObject({ op: 'update', bytes: 0, inputs: [[0]] });
});

test('while a fit of the same model runs', async () => {
  const { x, labels } = quadrants(400);
  const train = async (meanwhile: (net: Model) => Promise<unknown>) => {
    seed(7);
    const net = classifier('adam', 0.5);
    let started = () => {};
    const running = new Promise<void>((resolve) => {
      started = resolve;
    });
    const callbacks = [{ onTrainBatchEnd: () => started() }];
    const fitting = net.fit(x, labels, { batchSize: 8, epochs: 8, callbacks });
    await running;
    await meanwhile(net);
    await fitting;
    return state(net);
  };
  const profiled = await train(async (net) => {
    const all = ['train', 'predict', 'train'] as const;
    for (const profile of await Promise.all(all.map((kind) => net.program(kind).profile({ runs: 20 })))) {
      consistent(profile);
    }
  });
  expect(profiled).toEqual(await train(async () => {}));
});

test('a compiled function', async () => {
  const total = variable([1, 2]);
  const f = compile((a: SymbolicTensor, b: SymbolicTensor) => {
    total.assign(ops.add(total, 1));
    return ops.matmul(a, b);
  });
  const [a, b] = [tensor(randomArray(12, 1), [3, 4]), tensor(randomArray(20, 2), [4, 5])];
  const program = f.program(a, b);
  expect(program.describe()).toBe(f.describe(a, b));
  const profile = await program.profile({ runs, limits: unit });
  consistent(profile);
  expect(profile.steps.map(({ op }) => op)).toEqual(described(program.describe()));
  expect(profile.steps.find(({ op }) => op === 'matmul')).toMatchObject({ flops: 120, bytes: 4 * 47 });
  expect([...total.dataSync()]).toEqual([1, 2]);
  await f(a, b);
  expect([...total.dataSync()]).toEqual([2, 3]);
});

/** A worker that runs `body`, the text of an asynchronous function of the library and its port. */
function worker(body: string): Worker {
  const url = JSON.stringify(new URL('../../lib/index.ts', import.meta.url).href);
  const load = "import('tsx/esm/api').then(({ register }) => register())";
  const port = "require('node:worker_threads').parentPort";
  return new Worker(`${load}.then(() => import(${url})).then((dh) => (${body})(dh, ${port}))`, { eval: true });
}

const profiling = `async ({ layers, sequential }, port) => {
  const net = sequential([layers.dense({ units: 8, inputShape: [4] })]);
  net.compile({ optimizer: 'adam', loss: 'mse' });
  const profile = await net.program('train').profile({ runs: 3 });
  port.postMessage(profile.steps.map(({ op }) => op));
  for (;;) await net.program('train').profile({ runs: 2000 });
}`;

test('microseconds are microseconds', async () => {
  const side = 256;
  const f = compile((a: SymbolicTensor) => ops.matmul(a, a));
  const program = f.program(tensor(randomArray(side * side, 1), [side, side]));
  const start = performance.now();
  const { steps, microseconds } = await program.profile({ runs: 20 });
  // Half of the runs took at least the median.
  expect(10 * microseconds).toBeLessThan(1000 * (performance.now() - start));
  // No step is much faster than the machine.
  expect(steps.find(({ op }) => op === 'matmul')!.ofLimit).toBeLessThan(10);
});

test('a schedule whose rates were computed for the steps made so far', async () => {
  const net = classifier(optimizers.sgd({ learningRate: () => 0.1 }));
  const { x, labels } = quadrants(8);
  await net.trainOnBatch(x, labels);
  consistent(await net.program('train').profile({ runs }));
});

test('in a worker, which may be terminated meanwhile', async () => {
  const other = worker(profiling);
  const ops = await new Promise((resolve, reject) => {
    other.once('message', resolve);
    other.once('error', reject);
  });
  const net = sequential([layers.dense({ units: 8, inputShape: [4] })]);
  net.compile({ optimizer: 'adam', loss: 'mse' });
  const meanwhile = net.program('train').profile({ runs: 200 });
  await other.terminate();
  expect((await meanwhile).steps.map(({ op }) => op)).toEqual(ops);
});

test('sparse rows', async () => {
  const [rows, columns, each] = [40, 100, 3];
  const x = new data.SparseRows({
    shape: [rows, columns],
    indptr: Int32Array.from({ length: rows + 1 }, (_, row) => each * row),
    indices: Int32Array.from({ length: each * rows }, (_, i) => 20 * (i % each) + (i % 7)),
    values: randomArray(each * rows, 1),
  });
  const y = Int32Array.from({ length: rows }, (_, i) => i % 2);
  const net = sequential([layers.dense({ units: 2, activation: 'softmax', inputShape: [columns] })]);
  net.compile({ optimizer: 'sgd', loss: losses.sparseCategoricalCrossentropy() });
  const dense = await net.program('train').profile({ runs });
  await net.fit(x, y, { batchSize: 8 });
  const before = state(net);
  for (const options of [{}, { x, y }, { x, y, batchSize: 16, shuffle: false }]) {
    const profile = await net.program('train').profile({ runs, ...options });
    consistent(profile);
    expect(profile.steps[0]).toMatchObject({ op: 'gather' });
    expect(profile.steps[1].op).toMatch(/^sparseMatmul/);
    expect(profile.bytes).toBeLessThan(dense.bytes);
  }
  consistent(await net.program('predict').profile({ runs, x }));
  expect(state(net)).toEqual(before);
});

test('errors', async () => {
  const net = sequential([layers.dense({ units: 2, inputShape: [3] })]);
  await fails('NOT_COMPILED', /compile/, () => net.program('train').profile());
  expect((await net.program('predict').profile({ runs })).steps).toHaveLength(1);
  net.compile({ optimizer: 'sgd', loss: 'mse' });
  const program = net.program('train');
  const x = randomArray(12, 1);
  await fails('UNKNOWN_OPTION', /run".*Did you mean "runs"/, () => program.profile({ run: 3 } as never));
  await fails('UNKNOWN_OPTION', /unknown option "y"/, () => net.program('predict').profile({ y: x }));
  await fails('OUT_OF_RANGE', /profile: runs/, () => program.profile({ runs: 0 }));
  await fails('OUT_OF_RANGE', /limits\.gflops.*above 0/, () => program.profile({ limits: { gflops: 0 } }));
  await fails('UNKNOWN_OPTION', /limits.*flops/, () => program.profile({ limits: { flops: 1 } as never }));
  await fails('INVALID_ARGUMENT', /y is given without x/, () => program.profile({ y: x }));
  await fails('SHAPE_MISMATCH', /x has 4 rows/, () => program.profile({ x, y: x }));
  await fails('SHAPE_MISMATCH', /x must fill rows/, () => program.profile({ x: randomArray(7, 1) }));
  const pick = compile((table: SymbolicTensor, rows: SymbolicTensor) => ops.gather(table, rows));
  const rows = Int32Array.of(0, 12);
  await fails('OUT_OF_RANGE', /12/, () => pick.program(x, rows).profile({ runs }));
  await fails('UNKNOWN_OPTION', /x/, () => pick.program(x, rows).profile({ x } as never));
  pick.dispose();
  await fails('DISPOSED', /disposed/, () => pick.program(x, rows));
  net.dispose();
  await fails('DISPOSED', /disposed/, () => program.profile());
});

test.each(accelerators)('%s says that it cannot', async (device) => {
  const net = sequential([layers.dense({ units: 2, inputShape: [3] })], { device });
  net.compile({ optimizer: 'sgd', loss: 'mse' });
  const before = state(net);
  for (const kind of ['train', 'predict'] as const)
    await fails('UNSUPPORTED', /on the CPU only/, () => net.program(kind).profile());
  const f = compile((x: SymbolicTensor) => ops.add(x, 1), { device });
  await fails('UNSUPPORTED', /on the CPU only/, () => f.program([1]).profile());
  expect(state(net)).toEqual(before);
});
