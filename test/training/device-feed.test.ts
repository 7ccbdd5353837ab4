// Data sets that do not fit on a device: the host gathers batches for it, with the same result.
import { deviceMemory, type FitOptions, layers, optimizers, seed, sequential, setMemoryLimit } from 'downhill';
import { afterAll, expect, test } from 'vitest';
import { accelerators } from '../support-devices.js';

const rows = 3000;
const width = 100;
const x = Float32Array.from({ length: rows * width }, (_, i) => Math.sin(i * 0.37));
const y = Float32Array.from({ length: rows }, (_, i) => Math.cos(i));

async function run(device: string, more: FitOptions = { epochs: 3, validationSplit: 0.1 }) {
  seed(5);
  const net = sequential(
    [
      layers.dense({ units: 6, activation: 'tanh', inputShape: [width] }),
      layers.dropout({ rate: 0.2 }),
      layers.dense({ units: 1 }),
    ],
    { device },
  );
  net.compile({ optimizer: optimizers.adam({ learningRate: 0.01 }), loss: 'meanSquaredError' });
  // 23 full batches and a rest, in stretches of several launches.
  const { history } = await net.fit(x, y, { batchSize: 128, verbose: 0, ...more });
  const weights = net.getWeights().map((weight) => Array.from(weight.dataSync()));
  net.dispose();
  return { history, weights };
}

afterAll(() => {
  for (const device of accelerators) setMemoryLimit(device, undefined);
});

test.each(accelerators)('a data set that does not fit on %s', async (device) => {
  const whole = await run(device);
  const { bytes } = deviceMemory(device);
  const size = 4 * rows * (width + 1);
  setMemoryLimit(device, bytes + size / 2);
  expect(await run(device)).toEqual(whole);
  expect(deviceMemory(device).peakBytes).toBeGreaterThan(size); // of the run before
  setMemoryLimit(device, undefined);
});

test.each(accelerators)('chosen rows of one, on %s', async (device) => {
  const groups = Int32Array.from({ length: rows }, (_, row) => (row * 7) % 40);
  for (const more of [
    { groups, validationSplit: 0.3, epochs: 3, stepsPerEpoch: 5 },
    { sampling: { replacement: true }, stepsPerEpoch: 27 },
  ]) {
    const whole = await run(device, more);
    const { bytes } = deviceMemory(device);
    setMemoryLimit(device, bytes + 2 * rows * (width + 1));
    expect(await run(device, more)).toEqual(whole);
    setMemoryLimit(device, undefined);
  }
});
