import { diagnostics, setDevice } from 'downhill';
import { afterAll, beforeEach, describe, expect, test } from 'vitest';
import { goHome, isEmulated, testDevices } from '../support-devices.js';
import { rowsOn } from '../thin.js';
import {
  column,
  expectClose,
  flat,
  type LayerSpec,
  type LossSpec,
  makeLoss,
  makeNet,
  read,
  type Values,
} from './golden.js';

interface Case {
  name: string;
  loss: LossSpec['name'];
  layers: LayerSpec[];
  features: number;
  start: Values[];
  x: Values;
  y: Values;
  value: number;
  norms: number[];
  gTg: number;
  gTHg: number;
  largest: number;
  smallest: number;
  noise: {
    batchSize: number;
    batches: number;
    trace: number;
    squaredNorm: number;
    noiseScale: number;
    errors: number[];
  };
  spread: [mean: number, standardDeviation: number][];
  shifted: number;
  direction: Values[];
}

const { cases } = read<{ cases: Case[] }>('diagnostics');
const close = { relative: 2e-5, absolute: 2e-7 };

describe.each(testDevices)('on %s', (device) => {
  beforeEach(() => setDevice(device));
  afterAll(goHome);

  describe.each(rowsOn(device, cases, ({ loss }) => loss))('$name', (given) => {
    const { loss, layers, features, start, noise } = given;
    const made = () => {
      const net = makeNet(layers, features, start);
      net.compile({ optimizer: 'sgd', loss: makeLoss({ name: loss }) });
      const y = column(given.y, loss === 'sparseCategoricalCrossentropy' ? 'labels' : 'values');
      return { net, x: Float32Array.from(flat(given.x)), y };
    };

    // 26 rows: in one batch, and in batches with a remainder.
    test.each([64, 7])('gradient and curvature, batches of %i', async (batchSize) => {
      const { net, x, y } = made();
      const found = await diagnostics.gradientNorm(net, x, y, { batchSize });
      expectClose(found.loss, given.value, 'loss', close);
      expectClose(Object.values(found.weights), given.norms, 'norms', close);
      expect(Object.keys(found.weights)).toEqual(net.parameters.map(({ name }) => name));
      expectClose(found.squared, given.gTg, 'squared', close);
      expectClose(found.norm, Math.sqrt(given.gTg), 'norm', close);
      const largest = Math.max(...flat(given.direction).map(Math.abs));
      expectClose(found.largest, largest, 'largest', close);

      const learningRate = 0.37;
      const curvature = await diagnostics.curvature(net, x, y, { batchSize, learningRate });
      expectClose(curvature.gTg, given.gTg, 'gTg', close);
      expectClose(curvature.gTHg, given.gTHg, 'gTHg', close);
      const change = -learningRate * given.gTg + 0.5 * learningRate ** 2 * given.gTHg;
      expectClose(curvature.change, change, 'change', { relative: 1e-4, absolute: 1e-5 });
      expect(curvature.harmful).toBe(change > 0);
    });

    test.each(isEmulated(device) ? (['lanczos'] as const) : (['lanczos', 'power'] as const))(
      'eigenvalues by %s',
      async (method) => {
        const { net, x, y } = made();
        const options = { method, batchSize: 16, tolerance: 1e-4, learningRate: 2 / given.largest / 0.99 } as const;
        const found = await diagnostics.sharpness(net, x, y, {
          ...options,
          iterations: method === 'power' ? 4000 : 80,
        });
        const within = { relative: 1e-5, absolute: method === 'power' ? 2e-6 : 1e-6 };
        expect(found).toMatchObject({ converged: true, saddle: true, unstable: true });
        expectClose(found.largest, given.largest, 'largest', within);
        expectClose(found.smallest, given.smallest, 'smallest', within);
      },
    );

    test('noise', async () => {
      const { net, x, y } = made();
      const { batchSize, batches } = noise;
      const found = await diagnostics.noiseScale(net, x, y, { batchSize, batches, shuffle: false });
      for (const key of ['trace', 'squaredNorm'] as const) expectClose(found[key], noise[key], key, { relative: 5e-5 });
      // Of the labels' few batches the unbiased |G|² is negative.
      expectClose(found.noiseScale, noise.squaredNorm > 0 ? noise.noiseScale : 'Infinity', 'noiseScale', {
        relative: 5e-5,
      });
      expect(found.standardErrors.map(({ size }) => size)).toEqual([3, 6, 12]);
      const measured = found.standardErrors.map((error) => error.measured);
      expectClose(measured, noise.errors, 'errors', { relative: 5e-5 });
      const expected = [1, 2, 4].map((times) => Math.sqrt(noise.trace / (batchSize * times)));
      expectClose(
        found.standardErrors.map((error) => error.expected),
        expected,
        'expected',
        { relative: 5e-5 },
      );
    });

    test('spread of layers', async () => {
      const { net, x, y } = made();
      const { layers: found, loss: value } = await diagnostics.initialSpread(net, x, y);
      const spreads = found.flatMap(({ activation, gradient }) => [activation, gradient]);
      expectClose(
        spreads.flatMap(({ mean, standardDeviation }) => [mean, standardDeviation]),
        given.spread.flat(),
        'spread',
        { relative: 1e-4, absolute: 1e-6 },
      );
      expectClose(value, given.value, 'loss', close);
    });

    test('a plane through the loss', async () => {
      const { net, x, y } = made();
      const ones = net.parameters.map(({ size }) => new Float32Array(size).fill(1));
      const directions = [given.direction.map((part) => Float32Array.from(flat(part))), ones] as const;
      const { losses } = await diagnostics.lossSurface(net, x, y, {
        directions,
        range: [-0.25, 0.5],
        steps: 4,
        batchSize: 20,
      });
      expectClose(losses[3]![0]!, given.shifted, 'loss', close);
      expectClose(losses[1]![1]!, given.value, 'loss', close);
    });
  });
});
