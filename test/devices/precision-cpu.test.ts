// precision: 'bfloat16' on the CPU, on every instruction set: rounded where that is known to be faster, else float32, and it says which.
import { join } from 'node:path';
import { layers, loadModel, type Model, type ModelOptions, optimizers, seed, sequential, setThreads } from 'downhill';
import { afterAll, afterEach, beforeEach, describe, expect, test } from 'vitest';
import { binding } from '../../lib/binding/index.js';
import { readHead } from '../../lib/io/safetensors.js';
import { temporaryFolder } from '../io/files.js';
import { fails, quadrants, randomArray } from '../support.js';
import { bitsOf, goHome, goTo, places } from '../support-devices.js';

type Precision = NonNullable<ModelOptions['precision']>;
const folder = temporaryFolder();
const data = quadrants(96);

function network(precision: Precision, units = 40): Model {
  seed(4);
  const net = sequential(
    [
      layers.dense({ units, activation: 'relu', inputShape: [2] }),
      layers.dense({ units: 70, activation: 'tanh' }),
      layers.dense({ units: 2, activation: 'softmax' }),
    ],
    { device: 'cpu', precision },
  );
  net.compile({ optimizer: optimizers.adam({ learningRate: 0.01 }), loss: 'categoricalCrossentropy' });
  return net;
}

/** The second convolution is wide enough to be rounded. */
function images(precision: Precision): Model {
  seed(5);
  const net = sequential(
    [
      layers.conv2d({ filters: 32, kernelSize: 3, padding: 'same', activation: 'relu', inputShape: [6, 6, 3] }),
      layers.maxPooling2d({ poolSize: 2 }),
      layers.conv2d({ filters: 20, kernelSize: 3, padding: 'same', activation: 'relu' }),
      layers.globalAveragePooling2d(),
    ],
    { device: 'cpu', precision },
  );
  net.compile({ optimizer: optimizers.adam({ learningRate: 0.01 }), loss: 'meanSquaredError' });
  return net;
}
const pictures = { x: randomArray(96 * 6 * 6 * 3, 8), y: randomArray(96 * 20, 9) };

const fitOptions = { batchSize: 20, shuffle: true };
const bits = (net: Model) => net.getWeights().map((weight) => [...bitsOf(weight.dataSync() as Float32Array)]);
const stateOf = async (path: string) => JSON.parse((await readHead(path)).metadata.get('state')!);

afterAll(goHome);

const here = places.filter(({ device }) => device === 'cpu');

describe.each(here)('on $title', ({ device, isa, threads }) => {
  beforeEach(() => goTo({ device, isa }));
  afterEach(goHome);

  test('a product', async () => {
    const [rows, width, units] = [50, 300, 70];
    const [x, kernel] = [randomArray(rows * width, 4), randomArray(width * units, 3)];
    const results = ([...['bfloat16', 'float32']] as Precision[]).map((precision) => {
      const net = sequential([layers.dense({ units, useBias: false, inputShape: [width] })], { device, precision });
      net.setWeights([kernel]);
      return net.predict(x);
    });
    const [rounded, exact] = (await Promise.all(results)).map((result) => result.dataSync() as Float32Array);
    if (binding.products(device, 'bfloat16') === 'float32') return expect(bitsOf(rounded!)).toEqual(bitsOf(exact!));
    const high = (value: number) => {
      const [word] = new Uint32Array(Float32Array.of(value).buffer);
      return new Float32Array(Uint32Array.of((word! + 0x7fff + ((word! >>> 16) & 1)) & 0xffff0000).buffer)[0]!;
    };
    for (let r = 0; r < rows; r++)
      for (let u = 0; u < units; u++) {
        let [sum, size] = [0, 0];
        for (let k = 0; k < width; k++) {
          const term = high(x[r * width + k]!) * high(kernel[k * units + u]!);
          sum += term;
          size += Math.abs(term);
        }
        expect(Math.abs(rounded![r * units + u]! - sum)).toBeLessThan(1e-6 * size);
      }
  });

  test('a convolution: that of rounded operands', async () => {
    const [x, kernel] = [randomArray(20 * 5 * 5 * 32, 6), randomArray(3 * 3 * 32 * 16, 7)];
    const high = (values: Float32Array) => {
      const words = new Uint32Array(Float32Array.from(values).buffer);
      return new Float32Array(words.map((word) => (word + 0x7fff + ((word >>> 16) & 1)) & 0xffff0000).buffer);
    };
    const predict = async (precision: Precision, values: Float32Array, weights: Float32Array) => {
      const options = { filters: 16, kernelSize: 3, useBias: false, inputShape: [5, 5, 32] } as const;
      const net = sequential([layers.conv2d({ ...options })], { device, precision });
      net.setWeights([weights]);
      return (await net.predict(values)).dataSync() as Float32Array;
    };
    const [got, exact] = [await predict('bfloat16', x, kernel), await predict('float32', x, kernel)];
    if (binding.products(device, 'bfloat16') === 'float32') return expect(bitsOf(got)).toEqual(bitsOf(exact));
    const expected = await predict('float32', high(x), high(kernel));
    for (const [i, value] of got.entries()) expect(Math.abs(value - expected[i]!)).toBeLessThan(1e-4);
    expect(Math.max(...got.map((value, i) => Math.abs(value - exact[i]!)))).toBeGreaterThan(1e-3);
  });

  test.each([
    ['dense layers', network, data.x, data.oneHot],
    ['convolutions', images, pictures.x, pictures.y],
  ] as const)('a training of %s: close to float32, the same on any number of threads', async (_, make, x, y) => {
    const train = async (precision: Precision, count: number) => {
      setThreads(count);
      const net = make(precision);
      const { history } = await net.fit(x, y, { ...fitOptions, epochs: 4 });
      return { loss: history.loss!, bits: bits(net) };
    };
    const [exact, first] = [await train('float32', 1), await train('bfloat16', 1)];
    for (const [i, loss] of first.loss.entries()) expect(Math.abs(loss - exact.loss[i]!)).toBeLessThan(2e-2);
    if (binding.products(device, 'bfloat16') === 'bfloat16') expect(first.bits).not.toEqual(exact.bits);
    else expect(first.bits).toEqual(exact.bits);
    for (const count of threads) expect(await train('bfloat16', count)).toEqual(first);
  });

  test('saved, loaded, resumed', async () => {
    const products = binding.products(device, 'bfloat16');
    const straight = network('bfloat16');
    const { history } = await straight.fit(data.x, data.oneHot, { ...fitOptions, epochs: 4 });
    const half = network('bfloat16');
    await half.fit(data.x, data.oneHot, { ...fitOptions, epochs: 2 });
    const path = join(folder, `${isa}.safetensors`);
    await half.save(path);
    expect((await stateOf(path)).products).toBe(products);
    expect((await loadModel(path)).precision).toBe('bfloat16');
    const rest = network('bfloat16');
    const resumed = await rest.fit(data.x, data.oneHot, { ...fitOptions, epochs: 4, resume: path });
    expect(resumed.history).toEqual(history);
    expect(bits(rest)).toEqual(bits(straight));
    await network('float32').save(path);
    expect((await stateOf(path)).products).toBeUndefined();
  });

  test('describe() tells', async () => {
    const net = network('bfloat16');
    await net.fit(data.x, data.oneHot, { ...fitOptions, epochs: 1 });
    const text = net.program('train').describe();
    const products = binding.products(device, 'bfloat16');
    expect(text).toMatch(
      products === 'bfloat16' ? /^matrix products: bfloat16$/m : /^matrix products: float32 \(bfloat16 is/m,
    );
    const plain = network('float32');
    await plain.fit(data.x, data.oneHot, { ...fitOptions, epochs: 1 });
    expect(plain.program('train').describe()).not.toMatch(/matrix products/);
  });
});

const kinds = here.map((place) => {
  goTo(place);
  return binding.products('cpu', 'bfloat16');
});
goHome();
const rounding = here[kinds.indexOf('bfloat16')];
const plain = here[kinds.indexOf('float32')];

test.runIf(rounding && plain)('a fit does not go on with another arithmetic', async () => {
  const path = join(folder, 'other.safetensors');
  const resume = (precision: Precision) =>
    network(precision).fit(data.x, data.oneHot, { ...fitOptions, epochs: 2, resume: path });
  for (const [from, to] of [
    [rounding!, plain!],
    [plain!, rounding!],
  ] as const) {
    goTo(from);
    const net = network('bfloat16');
    await net.fit(data.x, data.oneHot, { ...fitOptions, epochs: 1 });
    await net.save(path);
    goTo(to);
    await fails('UNSUPPORTED', /other\.safetensors.*bfloat16.*matrix products were.*here|on this device/s, () =>
      resume('bfloat16'),
    );
    await fails('INVALID_ARGUMENT', /model\.config\.precision/, () => resume('float32'));
    expect((await loadModel(path)).precision).toBe('bfloat16'); // begins another fit
  }
  goHome();
});
