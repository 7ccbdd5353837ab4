// Whole trainings on every device, beside the same on the CPU.
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import {
  callbacks,
  type FitOptions,
  layers,
  loadModel,
  losses,
  type Model,
  optimizers,
  regularizers,
  seed,
  sequential,
  setDevice,
} from 'downhill';
import { afterAll, beforeEach, describe, expect, test } from 'vitest';
import { binding } from '../../lib/binding/index.js';
import { storageOf } from '../../lib/tensor/tensor.js';
import { classifier, close, fails, quadrants, randomArray } from '../support.js';
import { bitsOf, goHome, idOf, isEmulated, testDevices } from '../support-devices.js';

const folder = mkdtempSync(join(tmpdir(), 'downhill-devices-'));
afterAll(() => {
  goHome();
  rmSync(folder, { recursive: true });
});
let files = 0;
const fresh = () => join(folder, `${files++}.safetensors`);

const weightsOf = (net: Model) => net.getWeights().map((weight) => [...weight.dataSync()]);
const weightBits = (net: Model) => net.getWeights().map((weight) => bitsOf(weight.dataSync() as Float32Array));

/** 2 → 16 → 2 with dropout and a regularizer. */
function net(device: string, from = 3): Model {
  seed(from);
  const made = sequential(
    [
      layers.dense({
        units: 16,
        activation: 'tanh',
        inputShape: [2],
        kernelRegularizer: regularizers.l2({ l2: 1e-3 }),
      }),
      layers.dropout({ rate: 0.3 }),
      layers.dense({ units: 2, activation: 'softmax' }),
    ],
    { device },
  );
  made.compile({
    optimizer: optimizers.adam({ learningRate: 0.02 }),
    loss: 'categoricalCrossentropy',
    metrics: ['accuracy'],
  });
  return made;
}

const { x, oneHot, labels } = quadrants(90);
/** Shuffling, partial batches (81 rows by 16) and validation. */
const everything: FitOptions = { batchSize: 16, epochs: 3, validationSplit: 0.1 };

describe.each(testDevices)('training on %s', (device) => {
  beforeEach(() => setDevice('cpu'));

  test('weights live there, and results come from there', async () => {
    const made = net(device);
    expect(made.device).toBe(idOf(device));
    await made.fit(x, oneHot, { batchSize: 30, epochs: 1 });
    expect(binding.storageDevice(storageOf(made.parameters[0]!))).toBe(idOf(device));
    expect(made.parameters[0]!.device).toBe(idOf(device));
    expect((await made.predict(x)).device).toBe(idOf(device));
  });

  test('fit, evaluate, predict: as on the CPU', async () => {
    const [here, there] = [net('cpu'), net(device)];
    const histories = [];
    for (const one of [here, there]) {
      seed(7);
      histories.push((await one.fit(x, oneHot, everything)).history);
    }
    expect(Object.keys(histories[1]!)).toEqual(Object.keys(histories[0]!));
    for (const key of Object.keys(histories[0]!)) close(histories[1]![key], histories[0]![key], 1e-5);
    close(weightsOf(there), weightsOf(here), 1e-4);
    there.setWeights(here.getWeights());
    for (const batchSize of [7, 32, 90]) {
      const [a, b] = [await here.evaluate(x, oneHot, { batchSize }), await there.evaluate(x, oneHot, { batchSize })];
      close([b.loss, b.accuracy], [a.loss, a.accuracy], 1e-6);
      close(await there.predict(x, { batchSize }), await here.predict(x, { batchSize }), 1e-6);
    }
  });

  test('the same seed gives the same bits; with or without callbacks, whatever the stretch', async () => {
    const run = async (more: FitOptions) => {
      const made = net(device);
      const { history } = await made.fit(x, oneHot, { ...everything, ...more });
      return { history, weights: weightBits(made) };
    };
    const expected = await run({});
    expect(await run({})).toEqual(expected);
    let batches = 0;
    const watch = callbacks.lambda({ onTrainBatchEnd: () => void batches++ });
    expect(await run({ callbacks: [watch] })).toEqual(expected);
    expect(batches).toBe(3 * 6);
  });

  test('fit and trainOnBatch agree to the bit', async () => {
    const [one, other] = [net(device), net(device)];
    await one.fit(x, oneHot, { batchSize: 32, epochs: 2, shuffle: false });
    for (let epoch = 0; epoch < 2; epoch++)
      for (let row = 0; row < 90; row += 32)
        await other.trainOnBatch(x.subarray(2 * row, 2 * (row + 32)), oneHot.subarray(2 * row, 2 * (row + 32)));
    expect(weightBits(other)).toEqual(weightBits(one));
  });

  test('data that a batch converts: labels, bytes, doubles', async () => {
    const bytes = Uint8Array.from({ length: 40 * 3 }, (_, i) => (i * 37) % 256);
    const y = Int32Array.from({ length: 40 }, (_, i) => i % 4);
    const run = async (where: string, data: Float64Array | Uint8Array | Int32Array) => {
      seed(2);
      const made = sequential([layers.dense({ units: 4, activation: 'softmax', inputShape: [3] })], { device: where });
      const optimizer = optimizers.sgd({ learningRate: 1e-4 });
      made.compile({ optimizer, loss: losses.sparseCategoricalCrossentropy(), metrics: ['accuracy'] });
      const { history } = await made.fit(data, y, { batchSize: 16, epochs: 2 });
      return [history.loss, history.accuracy, ...weightsOf(made)];
    };
    const expected = await run('cpu', bytes);
    close(await run(device, bytes), expected, 1e-5);
    expect(await run(device, Float64Array.from(bytes))).toEqual(await run(device, bytes));
    expect(await run(device, Int32Array.from(bytes))).toEqual(await run(device, bytes));
  });

  test('a batch callback sees what a step did; stopping and aborting end a fit', async () => {
    const made = net(device);
    const seen: number[] = [];
    await made.fit(x, oneHot, {
      batchSize: 16,
      epochs: 5,
      callbacks: [
        callbacks.lambda({
          onTrainBatchEnd: (_, logs) => {
            seen.push(logs.loss!);
            if (seen.length === 4) made.stopTraining = true;
          },
        }),
      ],
    });
    expect(seen).toHaveLength(4);
    expect(new Set(seen).size).toBe(4);
    const abort = new AbortController();
    const fitting = made.fit(x, oneHot, { batchSize: 2, epochs: 10_000, signal: abort.signal });
    setTimeout(() => abort.abort(new Error('enough')), 100);
    await expect(fitting).rejects.toThrow('enough');
    await made.fit(x, oneHot, { epochs: 1 });
  });

  test('the learning rate, changed during a fit, holds from the next step', async () => {
    const made = net(device);
    const kept: Uint32Array[][] = [];
    await made.fit(x, oneHot, {
      batchSize: 30,
      epochs: 4,
      callbacks: [
        callbacks.lambda({
          onEpochEnd: (epoch) => {
            kept.push(weightBits(made));
            if (epoch === 1) made.setLearningRate(0);
          },
        }),
      ],
    });
    expect(kept[1]).not.toEqual(kept[0]);
    expect(kept[2]).toEqual(kept[1]);
    expect(kept[3]).toEqual(kept[1]);
  });

  test('NON_FINITE: the same message and weights as on the CPU, those of the last finished step', async () => {
    const run = async (where: string, options: FitOptions = {}) => {
      const made = sequential([layers.dense({ units: 1, inputShape: [2], kernelInitializer: 'ones' })], {
        device: where,
      });
      made.compile({ optimizer: optimizers.sgd({ learningRate: 1e12 }), loss: 'mse' });
      let message = '';
      const inputs = randomArray(40, 5);
      const fitting = made.fit(inputs, new Float32Array(20), { batchSize: 2, shuffle: false, ...options });
      await fitting.catch((error: Error) => {
        message = error.message;
      });
      return { message, weights: weightsOf(made) };
    };
    const expected = await run('cpu');
    expect(expected.message).toMatch(/epoch 1, step [2-9]/);
    const found = await run(device);
    expect(found.message).toBe(expected.message);
    const finite = found.weights.flat();
    expect(finite.every(Number.isFinite)).toBe(true);
    finite.forEach((value, i) => {
      expect(value / expected.weights.flat()[i]!).toBeCloseTo(1, 4);
    });
    expect((await run(device, { onNonFinite: 'ignore' })).message).toBe('');
  });

  test('LABEL_OUT_OF_RANGE: the same message as on the CPU, nothing trained by that step', async () => {
    const wrong = labels.slice();
    wrong[37] = 5;
    const run = async (where: string, rows: Int32Array, epochs = 1) => {
      const made = net(where);
      made.compile({ optimizer: 'sgd', loss: 'sparseCategoricalCrossentropy' });
      const options: FitOptions = { batchSize: 10, shuffle: false, epochs, verbose: 0 };
      const message = await made.fit(x, rows, options).then(
        () => '',
        (error: Error & { code: string }) => `${error.code} ${error.message}`,
      );
      return { made, message, weights: weightsOf(made) };
    };
    const [here, there] = [await run('cpu', wrong), await run(device, wrong)];
    expect(here.message).toMatch(/^LABEL_OUT_OF_RANGE .*5/);
    expect(there.message).toBe(here.message);
    close(there.weights, here.weights, 1e-5);
    const clean = net(device);
    clean.compile({ optimizer: 'sgd', loss: 'sparseCategoricalCrossentropy' });
    await clean.fit(x.subarray(0, 60), labels.subarray(0, 30), { batchSize: 10, shuffle: false });
    expect(there.weights).toEqual(weightsOf(clean)); // three whole steps, no more
    await fails('LABEL_OUT_OF_RANGE', /5/, () => there.made.evaluate(x, wrong));
    await there.made.fit(x, labels, { batchSize: 10 });
  });

  test('getWeights and predict during a fit see finished steps', async () => {
    // As every gradient is clipped to the rate, all weights are the same after each step.
    const rate = 2 ** -10;
    const epochs = isEmulated(device) ? 60 : 1500;
    const made = sequential(
      [layers.dense({ units: 32, useBias: false, kernelInitializer: 'zeros', inputShape: [32] })],
      {
        device,
      },
    );
    made.compile({ optimizer: optimizers.sgd({ learningRate: 1, clipValue: rate }), loss: (_, p) => p });
    const ones = new Float32Array(32 * 20).fill(1);
    const fitting = made.fit(new Float32Array(32 * 4).fill(1e9), new Float32Array(32 * 4), {
      batchSize: 1,
      epochs,
    });
    let running = true;
    void fitting.finally(() => {
      running = false;
    });
    let looks = 0;
    for (; running; looks++) {
      const outputs = (await made.predict(ones, { batchSize: 8 })).dataSync();
      expect(outputs.every((value) => value === outputs[0])).toBe(true);
      expect(Number.isInteger(outputs[0]! / (32 * rate))).toBe(true);
      const [kernel] = weightsOf(made);
      expect(new Set(kernel).size).toBe(1);
      await new Promise((resolve) => setTimeout(resolve, 1));
    }
    await fitting;
    expect(looks).toBeGreaterThan(1);
    expect(weightsOf(made)[0]![0]).toBe(-4 * epochs * rate);
  });

  test('setWeights during a fit is seen by the next step', async () => {
    const made = net(device);
    made.compile({ optimizer: optimizers.sgd({ learningRate: 0 }), loss: 'categoricalCrossentropy' });
    const zeros = made.getWeights().map((weight) => new Float32Array(weight.size));
    const { history } = await made.fit(x, oneHot, {
      epochs: 2,
      callbacks: [callbacks.lambda({ onEpochEnd: (epoch) => void (epoch === 0 && made.setWeights(zeros)) })],
    });
    expect(history.loss![1]).toBeCloseTo(Math.LN2, 5);
    expect(history.loss![0]).not.toBeCloseTo(Math.LN2, 5);
  });

  test('saved, loaded and resumed: the bits of a fit that never stopped', async () => {
    const run = async (more: FitOptions, from = 3) => {
      const made = net(device, from);
      const { history } = await made.fit(x, oneHot, { ...everything, ...more });
      return { history, weights: weightBits(made) };
    };
    const expected = await run({});
    const path = `${fresh()}-{step}`;
    await run({ callbacks: [callbacks.modelCheckpoint({ path, everySteps: 1 })] });
    for (const step of [1, 6, 10, 17])
      expect(await run({ resume: path.replace('{step}', `${step}`) }, 99)).toEqual(expected);
  });

  test('a model moves to the CPU and back by a file or by setWeights, to the bit', async () => {
    const made = net(device);
    await made.fit(x, oneHot, everything);
    const path = fresh();
    await made.save(path);
    const loaded = await loadModel(path);
    expect(loaded.device).toBe('cpu');
    expect(weightBits(loaded)).toEqual(weightBits(made));
    close(await loaded.predict(x), await made.predict(x), 1e-6);
    const back = net(device, 12);
    back.setWeights(loaded.getWeights());
    expect((await back.predict(x)).dataSync()).toEqual((await made.predict(x)).dataSync());
    setDevice(device);
    const again = await loadModel(path);
    expect(again.device).toBe(idOf(device));
    const more: FitOptions = { batchSize: 16, epochs: 1, shuffle: false };
    seed(1);
    await made.fit(x, oneHot, more);
    seed(1);
    await again.fit(x, oneHot, more);
    expect(weightBits(again)).toEqual(weightBits(made));
  });

  test('several models at once, there and on the CPU, get what they get alone', async () => {
    const plain = (where: string, from: number) => {
      seed(from);
      setDevice(where);
      const made = classifier([], 'categoricalCrossentropy', 'sgd');
      setDevice('cpu');
      const start = made.getWeights();
      return async () => {
        made.setWeights(start);
        const { history } = await made.fit(x, oneHot, { batchSize: 16, epochs: 3, shuffle: false });
        return { history, weights: weightBits(made) };
      };
    };
    const fits = [device, 'cpu', device, 'cpu', device].map((where, i) => plain(where, i));
    const alone = [];
    for (const fit of fits) alone.push(await fit());
    expect(await Promise.all(fits.map((fit) => fit()))).toEqual(alone);
  });
});
