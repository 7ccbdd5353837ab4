// Data sets that do not fit on a device: the host gathers batches for it, with the same result.
import { deviceMemory, layers, optimizers, seed, sequential, setMemoryLimit } from 'downhill';
import { afterAll, expect, test } from 'vitest';
import { accelerators } from '../support-devices.js';

const rows = 3000;
const width = 100;
const x = Float32Array.from({ length: rows * width }, (_, i) => Math.sin(i * 0.37));
const y = Float32Array.from({ length: rows }, (_, i) => Math.cos(i));

async function run(device: string) {
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
  const { history } = await net.fit(x, y, { batchSize: 128, epochs: 3, verbose: 0, validationSplit: 0.1 });
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
