import { join } from 'node:path';
import { callbacks, diagnostics, layers, type Model, seed, sequential, setDevice } from 'downhill';
import { afterAll, beforeEach, describe, expect, test } from 'vitest';
import { temporaryFolder } from '../io/files.js';
import { classifier, fails, quadrants, throwsAtOnce } from '../support.js';
import { goHome, testDevices } from '../support-devices.js';

const { x, oneHot } = quadrants(60);
const folder = temporaryFolder();
const everything = ['gradientNorm', 'curvature', 'sharpness', 'noiseScale', 'updateRatios'] as const;

/** With all that is random switched on. */
function dropping(): Model {
  seed(21);
  const net = sequential([
    layers.dense({ units: 8, activation: 'tanh', inputShape: [2] }),
    layers.dropout({ rate: 0.4 }),
    layers.dense({ units: 2, activation: 'softmax' }),
  ]);
  net.compile({ optimizer: 'adam', loss: 'categoricalCrossentropy', metrics: ['accuracy'] });
  return net;
}

const bits = (net: Model) => net.getWeights().map((weight) => Buffer.from(weight.dataSync().buffer).toString('base64'));

describe.each(testDevices)('on %s', (device) => {
  beforeEach(() => setDevice(device));
  afterAll(goHome);

  test.each([
    ['on the batch of the step', {}],
    ['on given data', { x: x.subarray(0, 40), y: oneHot.subarray(0, 40), batchSize: 16 }],
  ])('the training does not notice, %s', async (_, data) => {
    const options = { epochs: 2, batchSize: 16, verbose: 0 } as const;
    const plain = dropping();
    const { history } = await plain.fit(x, oneHot, options);
    const watched = dropping();
    const watch = callbacks.diagnostics({ everySteps: 3, record: everything, iterations: 5, ...data });
    const seen = await watched.fit(x, oneHot, { ...options, callbacks: [watch] });
    expect(bits(watched)).toEqual(bits(plain));
    expect(seen.history).toEqual(history);
    expect(watch.records.map(({ epoch, step }) => [epoch, step])).toEqual([
      [0, 3],
      [1, 6],
    ]);
  });
});

test('the numbers are those of the plain functions', async () => {
  const net = dropping();
  const watch = callbacks.diagnostics({
    everySteps: 4,
    record: everything,
    iterations: 9,
    tolerance: 0.1,
    x,
    y: oneHot,
  });
  await net.fit(x, oneHot, { epochs: 2, batchSize: 16, verbose: 0, callbacks: [watch] });
  const last = watch.records[1]!;
  const { norm, loss } = await diagnostics.gradientNorm(net, x, oneHot);
  const { gTg, gTHg, harmful, learningRate } = await diagnostics.curvature(net, x, oneHot);
  const ends = await diagnostics.sharpness(net, x, oneHot, { iterations: 9, tolerance: 0.1 });
  const { noiseScale, sigma } = await diagnostics.noiseScale(net, x, oneHot, {
    batchSize: 3,
    batches: 16,
    shuffle: false,
  });
  const { largest: largestEigenvalue, smallest: smallestEigenvalue, limit, saddle } = ends;
  const eigenvalues = { largestEigenvalue, smallestEigenvalue, limit, saddle };
  const rest = { epoch: 1, step: 8, learningRate, loss, gradientNorm: norm, gTg, gTHg, harmful, noiseScale, sigma };
  expect(last).toEqual({ ...rest, ...eigenvalues });
  // The step after the last record was never made.
  expect(Object.keys(watch.records[0]!.updateRatios!)).toEqual(net.parameters.map(({ name }) => name));
});

test('without data: the batch of the step that was just made', async () => {
  const net = classifier();
  const watch = callbacks.diagnostics({ everySteps: 4, record: ['gradientNorm'] });
  // 60 rows by 16: the fourth batch has the last 12.
  await net.fit(x, oneHot, { batchSize: 16, shuffle: false, verbose: 0, callbacks: [watch] });
  const [rows, targets] = [x.subarray(2 * 48), oneHot.subarray(2 * 48)];
  const { norm, loss } = await diagnostics.gradientNorm(net, rows, targets);
  expect(watch.records).toEqual([{ epoch: 0, step: 4, learningRate: 0.001, loss, gradientNorm: norm }]);

  const other = classifier();
  other.setWeights(net.getWeights());
  const batches = [
    [x, oneHot],
    [rows, targets],
  ] as const;
  const stream = callbacks.diagnostics({ everySteps: 2, record: ['gradientNorm'] });
  await other.fit(
    batches.map(([a, b]) => [a, b]),
    { verbose: 0, callbacks: [stream] },
  );
  expect(stream.records[0]!.gradientNorm).toBe((await diagnostics.gradientNorm(other, rows, targets)).norm);
});

test('weights of rows belong to the batch', async () => {
  const net = classifier();
  const sampleWeight = Float32Array.from({ length: 60 }, (_, i) => i / 10);
  const watch = callbacks.diagnostics({ everySteps: 2, record: ['gradientNorm'] });
  const stopping = callbacks.earlyStopping({ monitor: 'loss', mode: 'max' });
  const options = { batchSize: 30, shuffle: false, sampleWeight, verbose: 0, epochs: 5 } as const;
  const { epoch } = await net.fit(x, oneHot, { ...options, callbacks: [watch, stopping] });
  expect(epoch.length).toBe(2);
  const last = { sampleWeight: sampleWeight.subarray(30) };
  const { norm, loss } = await diagnostics.gradientNorm(net, x.subarray(60), oneHot.subarray(60), last);
  expect(watch.records[1]).toMatchObject({ loss, gradientNorm: norm });
  const all = await diagnostics.gradientNorm(net, x, oneHot, { sampleWeight });
  expect(stopping.gradientNorm! / all.norm).toBeCloseTo(1, 5);
});

test('update ratios are those of the step after the record', async () => {
  const net = classifier();
  const weights: Float32Array[][] = [];
  const keep = callbacks.lambda({
    onTrainBatchEnd: () => void weights.push(net.getWeights().map((weight) => weight.dataSync() as Float32Array)),
  });
  const watch = callbacks.diagnostics({ everySteps: 2, record: ['updateRatios'] });
  await net.fit(x, oneHot, { batchSize: 8, verbose: 0, callbacks: [keep, watch] });
  const norm = (values: Float32Array) => Math.hypot(...values);
  const expected = [1, 3, 5].map((step) =>
    weights[step]!.map(
      (before, i) => norm(before.map((value, j) => value - weights[step + 1]![i]![j]!)) / norm(before),
    ),
  );
  const found = watch.records.slice(0, 3).map(({ updateRatios }) => Object.values(updateRatios!));
  for (const [i, ratios] of found.entries())
    for (const [j, ratio] of ratios.entries()) expect(ratio / expected[i]![j]!).toBeCloseTo(1, 4);
});

// Four steps are an epoch.
test.each([4, 5])('records are resumed, also in the middle of one, every %i steps', async (everySteps) => {
  const options = { epochs: 3, batchSize: 16, verbose: 0 } as const;
  const make = () => callbacks.diagnostics({ everySteps, record: ['gradientNorm', 'updateRatios'] });
  const path = join(folder, 'at-{step}');
  const whole = make();
  await dropping().fit(x, oneHot, {
    ...options,
    callbacks: [callbacks.modelCheckpoint({ path, everySteps: 1 }), whole],
  });
  expect(whole.records.length).toBe(everySteps === 4 ? 3 : 2);
  for (let step = 1; step < 12; step++) {
    const again = make();
    const saver = callbacks.modelCheckpoint({ path: join(folder, 'other') });
    await dropping().fit(x, oneHot, { ...options, resume: join(folder, `at-${step}`), callbacks: [again, saver] });
    expect(again.records, `resumed after step ${step}`).toEqual(whole.records);
  }
  if (everySteps === 4) return;
  // From a file that lacks the record of its step.
  const lone = callbacks.modelCheckpoint({ path: join(folder, 'lone-{step}'), everySteps: 1 });
  await dropping().fit(x, oneHot, { ...options, callbacks: [lone] });
  const late = make();
  await dropping().fit(x, oneHot, {
    ...options,
    resume: join(folder, 'lone-5'),
    callbacks: [late, callbacks.modelCheckpoint({ path: join(folder, 'other') })],
  });
  expect(late.records).toEqual(whole.records);
  // Without it, and with states that cannot be.
  const saver = callbacks.modelCheckpoint({ path: join(folder, 'other') });
  await dropping().fit(x, oneHot, { ...options, resume: join(folder, 'at-5'), callbacks: [saver] });
  const net = dropping();
  const watch = Object.assign(make(), { model: net });
  const good = whole.getState();
  watch.checkState(good, 'state');
  for (const state of [
    null,
    { ...good, records: 1 },
    { ...good, records: [3] },
    { ...good, records: [{ step: -1 }] },
    { ...good, before: [1] },
    { ...good, before: net.getWeights().slice(1) },
  ])
    throwsAtOnce('CORRUPT_FILE', /state/, () => watch.checkState(state, 'state'));
});

test('options', async () => {
  throwsAtOnce('UNKNOWN_OPTION', /Did you mean "everySteps"/, () => callbacks.diagnostics({ everystep: 3 } as never));
  throwsAtOnce('OUT_OF_RANGE', /everySteps/, () => callbacks.diagnostics({ everySteps: 0 }));
  throwsAtOnce('INVALID_ARGUMENT', /x and y/, () => callbacks.diagnostics({ x }));
  throwsAtOnce('INVALID_ARGUMENT', /Did you mean "sharpness"/, () =>
    callbacks.diagnostics({ record: ['sharpnes' as never] }),
  );
  throwsAtOnce('INVALID_ARGUMENT', /record must be a list/, () => callbacks.diagnostics({ record: [] }));
  throwsAtOnce('INVALID_ARGUMENT', /object of options/, () => callbacks.diagnostics(3 as never));
  await fails('SHAPE_MISMATCH', /x must fill rows/, () =>
    classifier().fit(x, oneHot, {
      verbose: 0,
      callbacks: [callbacks.diagnostics({ everySteps: 1, x: x.subarray(1), y: oneHot })],
    }),
  );
});
