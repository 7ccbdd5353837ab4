// Updates that are graph programs, and constraints, inside of fits on every device: in the captured loop as step by step, and as on the CPU.
import { constraints, DownhillError, layers, type Model, ops, optimizers, schedules, seed, sequential } from 'downhill';
import { afterAll, describe, expect, test } from 'vitest';
import { binding } from '../../lib/binding/index.js';
import { close, randomArray } from '../support.js';
import { bitsOf, goHome, isEmulated, testDevices } from '../support-devices.js';

afterAll(goHome);

const own = (weights: Parameters<typeof ops.clip>[0]) => ops.clip(weights, -0.4, 0.5);
const all = {
  learningRate: schedules.inverseTime({ initial: 0.05, decay: 0.3 }),
  weightDecay: 0.01,
  useEma: true,
  emaMomentum: 0.7,
  emaOverwriteFrequency: 2,
  gradientAccumulationSteps: 2,
};
const made = {
  adafactor: () => optimizers.adafactor({ learningRate: 0.05 }),
  'adafactor, everything': () => optimizers.adafactor({ ...all, globalClipNorm: 0.3 }),
  'adafactor of PyTorch': () => optimizers.adafactor({ learningRate: 0.05, weightDecay: 0.02, preset: 'torch' }),
  muon: () => optimizers.muon({ learningRate: 0.02, excludeLayers: ['^out/'], clipNorm: 0.5 }),
  'muon, everything': () =>
    optimizers.muon({ ...all, groups: [{ match: /hidden/, weightDecay: 0.1, learningRate: 0.02 }] }),
  'muon, rates of one’s own': () => optimizers.muon({ learningRate: (step: number) => 0.02 / (1 + step) }),
  'muon, skipping': () => optimizers.muon({ learningRate: 0.02, skipNonFinite: true, gradientAccumulationSteps: 2 }),
  'adafactor, skipping': () =>
    optimizers.adafactor({ learningRate: 0.05, skipNonFinite: true, gradientAccumulationSteps: 2 }),
  'adam under constraints': () => optimizers.adam({ ...all }),
};
type Name = keyof typeof made;

const rows = 22;
const x = randomArray(rows * 6, 1);
const y = randomArray(rows * 3, 2);

function net(device: string, name: Name): Model {
  seed(6);
  const hidden = {
    kernelConstraint: constraints.minMaxNorm({ minValue: 0.4, maxValue: 0.9, rate: 0.6 }),
    biasConstraint: own,
  };
  const built = sequential(
    [
      layers.dense({ units: 5, activation: 'tanh', inputShape: [6], name: 'hidden', ...hidden }),
      layers.dense({ units: 3, name: 'out', kernelConstraint: 'nonNeg' }),
    ],
    { device },
  );
  built.compile({ optimizer: made[name](), loss: 'meanSquaredError' });
  return built;
}

const weightsOf = (model: Model) => model.getWeights().flatMap((weight) => [...(weight.dataSync() as Float32Array)]);
const bits = (model: Model) => model.getWeights().map((weight) => bitsOf(weight.dataSync() as Float32Array));
const fit = { batchSize: 4, epochs: 2, shuffle: false };

describe.each(testDevices)('update programs on %s', (device) => {
  test.each(Object.keys(made) as Name[])('%s: as on the CPU, under the constraints', async (name) => {
    const [here, there] = [net('cpu', name), net(device, name)];
    const start = weightsOf(here);
    for (const model of [here, there]) await model.fit(x, y, fit);
    expect(weightsOf(there)).not.toEqual(start);
    close(weightsOf(there), weightsOf(here), 1e-4);
    const [, bias, kernel] = there.getWeights().map((weight) => [...(weight.dataSync() as Float32Array)]);
    // What an average becomes at the end of fit is not constrained, as in Keras.
    if (name.includes('everything') || name.includes('constraints')) return;
    for (const value of bias!) expect(value >= -0.4 && value <= 0.5).toBe(true);
    for (const value of kernel!) expect(value).toBeGreaterThanOrEqual(0);
  });

  test.each(['adafactor, everything', 'muon, everything', 'adam under constraints'] as const)(
    '%s: batch by batch, in one go or with callbacks',
    async (name) => {
      const [whole, watched, single] = [net(device, name), net(device, name), net(device, name)];
      await whole.fit(x, y, { ...fit, epochs: 1 });
      let batches = 0;
      await watched.fit(x, y, { ...fit, epochs: 1, callbacks: [{ onTrainBatchEnd: () => void batches++ }] });
      for (let at = 0; at < rows; at += 4) await single.trainOnBatch(part(x, 6, at), part(y, 3, at));
      single.compiled!.optimizer.finalizeVariableValues(single.parameters);
      expect(batches).toBe(6);
      expect(bits(watched)).toEqual(bits(whole));
      expect(bits(single)).toEqual(bits(whole));
    },
  );

  test('a step that fails leaves weights and slots of the one before', async () => {
    const bad = Float32Array.from(y);
    bad.fill(1e30, 3 * 8, 3 * 9); // of the third batch: its loss is infinite
    const [failed, good] = [net(device, 'adafactor'), net(device, 'adafactor')];
    await expect(failed.fit(x, bad, fit)).rejects.toThrow(DownhillError);
    await good.fit(x.subarray(0, 6 * 8), y.subarray(0, 3 * 8), { ...fit, epochs: 1 });
    expect(bits(failed)).toEqual(bits(good));
    const slots = (model: Model) =>
      model.parameters.flatMap((weight) =>
        model
          .compiled!.optimizer.slotsOf(weight)!
          .map(({ storage }) => bitsOf(binding.storageRead(storage, 'float32'))),
      );
    expect(slots(failed)).toEqual(slots(good));
    expect(failed.compiled!.optimizer.iterations).toBe(2);
  });

  test.each(['muon, skipping', 'adafactor, skipping'] as const)(
    '%s: a skipped update runs no program',
    async (name) => {
      const bad = Float32Array.from(y);
      bad.fill(3e38, 3 * 4, 3 * 5); // of the second batch
      const [here, there] = [net('cpu', name), net(device, name)];
      for (const model of [here, there]) {
        await model.fit(x, bad, { ...fit, epochs: 1, onNonFinite: 'ignore' });
        expect(model.compiled!.optimizer.skipped).toBe(1);
        expect(weightsOf(model).every(Number.isFinite)).toBe(true);
      }
      close(weightsOf(there), weightsOf(here), 1e-4);
      // As if the first two batches had never been.
      const rest = net(device, name);
      await rest.fit(x.subarray(6 * 8), y.subarray(3 * 8), { ...fit, epochs: 1 });
      expect(bits(there)).toEqual(bits(rest));
    },
  );

  test.skipIf(isEmulated(device))('a step allocates nothing', async () => {
    const model = net(device, 'muon, everything');
    const allocations: number[] = [];
    const callback = { onTrainBatchEnd: () => void allocations.push(binding.memory().allocations) };
    await model.fit(x, y, { ...fit, callbacks: [callback] });
    expect(allocations.length).toBe(12);
    expect(new Set(allocations.slice(1)).size).toBe(1);
  });
});

function part(values: Float32Array, width: number, row: number) {
  const some = values.slice(row * width, (row + 4) * width);
  return Array.from({ length: some.length / width }, (_, i) => [...some.subarray(i * width, (i + 1) * width)]);
}
