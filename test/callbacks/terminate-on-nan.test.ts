import { callbacks, layers, type Model, ops, seed, sequential, setDevice } from 'downhill';
import { afterAll, afterEach, beforeEach, describe, expect, test, vi } from 'vitest';
import { fails, quadrants } from '../support.js';
import { goHome, testDevices } from '../support-devices.js';

const { x, oneHot } = quadrants(64);
const y = oneHot.map((value) => 2 * value - 1);
let warn: ReturnType<typeof vi.spyOn>;

beforeEach(() => {
  warn = vi.spyOn(process, 'emitWarning').mockImplementation(() => {});
});
afterEach(() => warn.mockRestore());

/** Its second layer overflows once the first steps have blown its weights up. */
function explosive(): Model {
  seed(5);
  const net = sequential([
    layers.dense({ units: 6, activation: 'relu', inputShape: [2], name: 'below' }),
    layers.dense({ units: 6, activation: 'exponential', name: 'between' }),
    layers.dense({ units: 2, name: 'above' }),
  ]);
  net.compile({ optimizer: 'sgd', loss: 'meanSquaredError' });
  net.setLearningRate(300);
  return net;
}

const values = (net: Model) => net.getWeights().flatMap((weight) => [...weight.dataSync()]);

describe.each(testDevices)('on %s', (device) => {
  beforeEach(() => setDevice(device));
  afterAll(goHome);

  test.each(['error', 'warn', 'ignore'] as const)(
    'ends the fit before the weights are spoilt, with %s',
    async (onNonFinite) => {
      const net = explosive();
      const watch = callbacks.terminateOnNaN();
      const kept: number[][] = [];
      const keep = callbacks.lambda({ onTrainBatchEnd: () => kept.push(values(net)) });
      const { history, epoch } = await net.fit(x, y, {
        batchSize: 8,
        epochs: 5,
        onNonFinite,
        callbacks: [keep, watch],
      });
      expect(epoch).toEqual([0]);
      expect(history.loss).toEqual([Number.NaN]);
      const { batch } = watch.found!;
      expect(kept.length).toBe(batch);
      expect(batch).toBeGreaterThan(0);
      expect(values(net)).toEqual(kept[batch - 1]);
      expect(values(net).every(Number.isFinite)).toBe(true);
      expect(watch.found).toMatchObject({
        epoch: 0,
        layer: { name: 'between', type: 'Dense', of: 'output', size: 48 },
        weights: [],
        message: expect.stringMatching(
          new RegExp(
            `^The loss is (NaN|infinite) in epoch 1, step ${batch + 1}\\..*The first layer whose output is not finite is "between" \\(Dense\\)`,
          ),
        ),
      });
      expect(warn).toHaveBeenCalledWith(expect.stringContaining('"between"'), 'DownhillWarning');
    },
  );

  test('without it, the error names the layer', async () => {
    const message =
      /^The loss is .* in epoch 1, step \d\. .*whose output is not finite is "between" \(Dense\): \d+ of 48 values\.$/;
    await fails('NON_FINITE', message, () => explosive().fit(x, y, { batchSize: 8, verbose: 0 }));
  });
});

test('natively made steps before it count', async () => {
  const net = explosive();
  const watch = callbacks.terminateOnNaN();
  const { history } = await net.fit(x, y, { batchSize: 8, epochs: 5, shuffle: false, callbacks: [watch] });
  expect(history.loss).toEqual([Number.NaN]);
  const twin = explosive();
  for (let i = 0; i < watch.found!.batch; i++)
    await twin.trainOnBatch(x.subarray(16 * i, 16 * (i + 1)), y.subarray(16 * i, 16 * (i + 1)));
  expect(values(net)).toEqual(values(twin));
});

test('over an iterable, and by trainOnBatch', async () => {
  const watch = callbacks.terminateOnNaN();
  const rows = (i: number) => [x.subarray(16 * i, 16 * (i + 1)), y.subarray(16 * i, 16 * (i + 1))] as const;
  const batches = Array.from({ length: 8 }, (_, i) => [...rows(i)]);
  const net = explosive();
  await net.fit(batches, { callbacks: [watch] });
  expect(watch.found?.layer?.name).toBe('between');
  expect(watch.found?.message).toContain(`step ${watch.found!.batch + 1}.`);
  await fails('NON_FINITE', /The first layer whose output is not finite is "between"/, () =>
    net.trainOnBatch(...rows(watch.found!.batch)),
  );
});

test('dropout drops what it dropped in that step', async () => {
  const found: (string | undefined)[] = [];
  // One row, one feature: kept it overflows, dropped it does not. Some seeds keep it in the first step, some in a later one.
  for (let i = 0; i < 6; i++) {
    const net = sequential([
      layers.dropout({ rate: 0.5, seed: i, inputShape: [1] }),
      layers.dense({ units: 1, activation: 'exponential', kernelInitializer: 'ones', name: 'grows' }),
    ]);
    net.compile({ optimizer: 'sgd', loss: 'meanAbsoluteError' });
    net.setLearningRate(0);
    const watch = callbacks.terminateOnNaN();
    await net.fit([[60]], [[1]], { epochs: 30, callbacks: [watch] });
    found.push(watch.found?.layer?.name);
  }
  expect(found).toEqual(new Array(6).fill('grows'));
});

test('weights that hold NaN are named', async () => {
  const net = explosive();
  net.setLearningRate(1e-3);
  const weights = net.getWeights().map((weight) => weight.dataSync());
  weights[4]![3] = Number.NaN;
  weights[5]![0] = Number.POSITIVE_INFINITY;
  net.setWeights(weights);
  const watch = callbacks.terminateOnNaN();
  await net.fit(x, y, { callbacks: [watch] });
  expect(watch.found).toMatchObject({ epoch: 0, batch: 0, weights: ['above/kernel', 'above/bias'] });
  expect(watch.found?.layer?.name).toBe('above');
  expect(watch.found?.message).toContain('Weights that hold NaN or infinity: above/kernel, above/bias.');
});

test('a loss that is not finite by itself', async () => {
  const net = explosive();
  net.compile({ optimizer: 'sgd', loss: (yTrue, yPred) => ops.log(ops.sub(ops.mul(yPred, 0), ops.square(yTrue))) });
  const watch = callbacks.terminateOnNaN();
  await net.fit(x, y, { callbacks: [watch] });
  expect(watch.found?.layer).toBe(null);
  expect(watch.found?.message).toMatch(
    /All layers' outputs are finite \(the model's are at most \d.*it is the loss itself/,
  );
});

test('a training that goes well: nothing is found; a second fit begins anew', async () => {
  const net = explosive();
  const watch = callbacks.terminateOnNaN();
  await net.fit(x, y, { batchSize: 8, callbacks: [watch] });
  expect(watch.found).not.toBe(null);
  const good = explosive();
  good.setLearningRate(1e-3);
  const { history } = await good.fit(x, y, { epochs: 3, callbacks: [watch] });
  expect(watch.found).toBe(null);
  expect(history.loss.length).toBe(3);
  expect(history.loss.every(Number.isFinite)).toBe(true);
});

test('bad data is an error all the same; validation goes on', async () => {
  const spoilt = x.slice();
  spoilt[5] = Number.NaN;
  await fails('NON_FINITE', /x\[row 2/, () => explosive().fit(spoilt, y, { callbacks: [callbacks.terminateOnNaN()] }));
  const watch = callbacks.terminateOnNaN();
  const { history } = await explosive().fit(x, y, { batchSize: 8, validationSplit: 0.25, callbacks: [watch] });
  expect(history).toEqual({ loss: [Number.NaN], val_loss: [Number.NaN] });
});
