// Layers that add or multiply by normal numbers while they train.
import { grad, hvp, layers, ops, seed, sequential, setThreads, tensor, type Tensor } from 'downhill';
import { afterEach, describe, expect, test } from 'vitest';
import { binding } from '../../lib/binding/index.js';
import { close, randomArray, throwsAtOnce } from '../support.js';

const threads = binding.threads();
afterEach(() => setThreads(threads));

const n = 200_000;
const values = (t: unknown) => [...(t as Tensor).dataSync()];
const filled = (value: number) => tensor(new Float32Array(n).fill(value), [1, n]);
const trained = (layer: layers.Layer, x: Tensor) => layer.apply(x, { training: true }) as Tensor;

/** Mean, variance, and the third and fourth moments of the standardized values. */
function moments(list: readonly number[]): number[] {
  const mean = list.reduce((sum, value) => sum + value, 0) / list.length;
  const central = (power: number) => list.reduce((sum, value) => sum + (value - mean) ** power, 0) / list.length;
  const variance = central(2);
  return [mean, variance, central(3) / variance ** 1.5, central(4) / variance ** 2];
}

/** Within five standard errors of those of a normal distribution. */
function expectNormal(list: readonly number[], mean: number, variance: number): void {
  const found = moments(list);
  const errors = [Math.sqrt(variance), variance * Math.sqrt(2), Math.sqrt(6), Math.sqrt(24)];
  [mean, variance, 0, 3].forEach((wanted, i) => {
    expect(Math.abs(found[i] - wanted), `moment ${i + 1}: ${found[i]}`).toBeLessThan(
      (5 * errors[i]) / Math.sqrt(list.length),
    );
  });
}

test('gaussianNoise adds independent normal numbers of its deviation', () => {
  const drawn = values(trained(layers.gaussianNoise({ stddev: 0.5, seed: 3 }), filled(2)));
  expectNormal(drawn, 2, 0.25);
  // The two numbers of a pair, and neighbouring counters, have nothing to do with each other.
  for (const lag of [1, 2, 3, 4]) {
    const products = drawn.slice(lag).map((value, i) => ((value - 2) * (drawn[i] - 2)) / 0.25);
    expect(Math.abs(moments(products)[0]), `lag ${lag}`).toBeLessThan(5 / Math.sqrt(n));
  }
});

test('gaussianDropout multiplies by normal numbers with mean 1 and the variance of dropout', () => {
  const layer = layers.gaussianDropout({ rate: 0.3, seed: 3 });
  expectNormal(values(trained(layer, filled(-2))), -2, (4 * 0.3) / 0.7);
  expect(values(trained(layer, filled(0))).every((value) => value === 0)).toBe(true);
});

const kinds = {
  gaussianNoise: (options: object = {}) => layers.gaussianNoise({ stddev: 0.5, ...options }),
  gaussianDropout: (options: object = {}) => layers.gaussianDropout({ rate: 0.4, ...options }),
};

describe.each(Object.entries(kinds))('%s', (_, make) => {
  const x = tensor(randomArray(3 * 701, 5), [3, 701]);

  test('passes its input where nothing is trained', async () => {
    const net = sequential([make({ inputShape: [701] })]);
    expect(values(net.apply(x))).toEqual(values(x));
    expect(values(await net.predict(x))).toEqual(values(x));
    expect(net.countParams()).toBe(0);
  });

  test('draws follow from the seed, differ between calls, and do not know of threads', () => {
    const draws = [1, 2, 3].map((count) => {
      setThreads(count);
      seed(9);
      const layer = make();
      return [values(trained(layer, x)), values(trained(layer, x))];
    });
    expect(draws[1]).toEqual(draws[0]);
    expect(draws[2]).toEqual(draws[0]);
    expect(draws[0][0]).not.toEqual(draws[0][1]);
    expect(values(trained(make({ seed: 1 }), x))).toEqual(values(trained(make({ seed: 1 }), x)));
    expect(values(trained(make({ seed: 1 }), x))).not.toEqual(values(trained(make({ seed: 2 }), x)));
  });

  test('derivatives are those of the same draws', async () => {
    // One key in every trace: the factors, or the sums, are the same in each.
    const layer = make({ seed: 4 });
    const small = tensor([[0.5, -1, 2]]);
    const f = (v: never) => ops.sum(ops.exp(layer.apply(v, { training: true }) as never)) as never;
    const y = values(await grad((v: never) => ops.sum(layer.apply(v, { training: true }) as never) as never)(small));
    const [gradient] = [values(await grad(f)(small))];
    const [second] = await hvp(f)([small], [tensor([[1, 1, 1]])]);
    // d/dx exp(y) = y' exp(y), d²/dx² = y'² exp(y)
    close(
      values(second),
      gradient.map((slope, i) => slope * y[i]),
    );
    if (layer.type === 'GaussianNoise') expect(y).toEqual([1, 1, 1]);
    else expect(new Set(y).size).toBe(3);
  });
});

test('0 changes nothing, and values out of range are refused', () => {
  const x = tensor([[1, 2, 3]]);
  expect(values(trained(layers.gaussianNoise({ stddev: 0 }), x))).toEqual([1, 2, 3]);
  expect(values(trained(layers.gaussianDropout({ rate: 0 }), x))).toEqual([1, 2, 3]);
  throwsAtOnce('OUT_OF_RANGE', /stddev must be .* at least 0; received -1/, () => layers.gaussianNoise({ stddev: -1 }));
  throwsAtOnce('OUT_OF_RANGE', /rate must be .* below 1; received 1/, () => layers.gaussianDropout({ rate: 1 }));
  throwsAtOnce('INVALID_ARGUMENT', /needs the option "stddev"/, () => layers.gaussianNoise({} as never));
  // Its float32 would be 1.
  expect(values(trained(layers.gaussianDropout({ rate: 1 - 2 ** -30 }), x)).every(Number.isFinite)).toBe(true);
});
