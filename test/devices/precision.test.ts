// precision: how matrix products are computed; weights, sums and updates are float32 all the same.
import { layers, type Model, type ModelOptions, optimizers, seed, sequential } from 'downhill';
import { afterAll, describe, expect, test } from 'vitest';
import { fails, quadrants, randomArray } from '../support.js';
import { accelerators, goHome, testDevices } from '../support-devices.js';

afterAll(goHome);

type Precision = NonNullable<ModelOptions['precision']>;

/** A model of one matrix product, with the same weights whatever the device and the precision. */
function product(device: string, precision: Precision, units: number, width: number): Model {
  const net = sequential([layers.dense({ units, useBias: false, inputShape: [width] })], { device, precision });
  net.setWeights([randomArray(units * width, 3)]);
  return net;
}

/** Largest |found − exact| of predictions, in units of the largest Σ|x·w|. */
async function error(net: Model, x: Float32Array, width: number): Promise<number> {
  const rows = x.length / width;
  const kernel = net.getWeights()[0]!.dataSync();
  const units = kernel.length / width;
  const y = (await net.predict(x)).dataSync();
  let [worst, scale] = [0, 0];
  for (let r = 0; r < rows; r++)
    for (let u = 0; u < units; u++) {
      let [sum, size] = [0, 0];
      for (let k = 0; k < width; k++) {
        const term = x[r * width + k]! * kernel[k * units + u]!;
        sum += term;
        size += Math.abs(term);
      }
      worst = Math.max(worst, Math.abs(y[r * units + u]! - sum));
      scale = Math.max(scale, size);
    }
  return worst / scale;
}

const width = 96;
const x = randomArray(33 * width, 4);

test.each(testDevices)('float32 on %s', async (device) => {
  expect(await error(product(device, 'float32', 40, width), x, width)).toBeLessThan(1e-6);
});

test.runIf(testDevices.includes('cpu'))('the CPU refuses what it does not have', async () => {
  await fails('UNSUPPORTED', /tf32.*CPU.*float32.*bfloat16/, () => product('cpu', 'tf32', 4, 4));
  await fails('INVALID_ARGUMENT', /precision.*float16/, () => product('cpu', 'float16' as never, 4, 4));
});

// Operands keep 11 and 8 bits: each product is off by at most 2⁻¹⁰ and 2⁻⁷ of its size, and far less on average.
const bounds = { tf32: { least: 1e-6, most: 2 ** -10 }, bfloat16: { least: 1e-4, most: 2 ** -7 } };

describe.each(accelerators.length ? accelerators : ['no other device'])('on %s', (device) => {
  test.runIf(device !== 'no other device').each(Object.keys(bounds) as (keyof typeof bounds)[])(
    '%s rounds the operands, and no more',
    async (precision) => {
      const found = await error(product(device, precision, 40, width), x, width);
      expect(found).toBeLessThan(bounds[precision].most);
      expect(found).toBeGreaterThan(bounds[precision].least); // it is not float32 under another name
    },
  );

  test.runIf(device !== 'no other device').each(['tf32', 'bfloat16'] as const)(
    'a training with %s',
    async (precision) => {
      const data = quadrants(64);
      const train = async (chosen: Precision) => {
        seed(4);
        const net = sequential(
          [
            layers.dense({ units: 16, activation: 'tanh', inputShape: [2] }),
            layers.dense({ units: 2, activation: 'softmax' }),
          ],
          { device, precision: chosen },
        );
        net.compile({ optimizer: optimizers.adam({ learningRate: 0.02 }), loss: 'categoricalCrossentropy' });
        return (await net.fit(data.x, data.oneHot, { batchSize: 16, epochs: 4 })).history.loss!;
      };
      const [exact, rounded] = [await train('float32'), await train(precision)];
      expect(rounded).not.toEqual(exact);
      rounded.forEach((loss, i) => {
        expect(Math.abs(loss - exact[i]!)).toBeLessThan(precision === 'tf32' ? 2e-3 : 2e-2);
      });
    },
  );
});
