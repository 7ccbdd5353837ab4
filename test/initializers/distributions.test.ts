// Draws against their exact distributions: moments, Kolmogorov–Smirnov, and what they must not depend on.
import { createHash } from 'node:crypto';
import { initializers, setDevice, setThreads } from 'downhill';
import { afterAll, describe, expect, it, test } from 'vitest';
import { binding } from '../../lib/binding/index.js';
import { goHome, testDevices } from '../support-devices.js';

afterAll(goHome);

/** Φ by its series and, in the tails, by its continued fraction (Abramowitz and Stegun 26.2.10 and 26.2.14). */
function phi(x: number): number {
  const density = Math.exp((-x * x) / 2) / Math.sqrt(2 * Math.PI);
  if (Math.abs(x) < 4) {
    let term = x;
    let sum = x;
    for (let n = 1; n < 120; n++) {
      term *= (x * x) / (2 * n + 1);
      sum += term;
    }
    return 0.5 + density * sum;
  }
  let fraction = Math.abs(x);
  for (let n = 60; n > 0; n--) fraction = Math.abs(x) + n / fraction;
  return x > 0 ? 1 - density / fraction : density / fraction;
}

const uniform = (a: number, b: number) => (x: number) => Math.min(1, Math.max(0, (x - a) / (b - a)));
const normal = (mean: number, deviation: number) => (x: number) => phi((x - mean) / deviation);
const truncated = (mean: number, deviation: number) => (x: number) =>
  Math.min(1, Math.max(0, (phi((x - mean) / deviation) - phi(-2)) / (phi(2) - phi(-2))));

/** √n times the largest distance between the distribution of the values and the exact one: above 1.95 once in a thousand samples. */
function kolmogorov(values: Float32Array, cdf: (x: number) => number): number {
  const sorted = Float64Array.from(values).sort();
  let worst = 0;
  sorted.forEach((x, i) => {
    const p = cdf(x);
    worst = Math.max(worst, Math.abs(p - i / sorted.length), Math.abs((i + 1) / sorted.length - p));
  });
  return worst * Math.sqrt(sorted.length);
}

const kTruncated = Math.sqrt(1 - (4 * Math.exp(-2)) / Math.sqrt(2 * Math.PI) / (2 * phi(2) - 1));
const shape = [300, 200]; // fans 300 and 200
const seed = 12;

const rows: [name: string, initializer: initializers.Initializer, cdf: (x: number) => number][] = [
  ['randomUniform', initializers.randomUniform({ minval: -0.3, maxval: 1.1, seed }), uniform(-0.3, 1.1)],
  ['randomNormal', initializers.randomNormal({ mean: 0.4, stddev: 0.7, seed }), normal(0.4, 0.7)],
  ['truncatedNormal', initializers.truncatedNormal({ mean: 0.4, stddev: 0.7, seed }), truncated(0.4, 0.7)],
  ['glorotUniform', initializers.glorotUniform({ seed }), uniform(-Math.sqrt(6 / 500), Math.sqrt(6 / 500))],
  ['glorotNormal', initializers.glorotNormal({ seed }), truncated(0, Math.sqrt(2 / 500) / kTruncated)],
  ['heUniform', initializers.heUniform({ seed }), uniform(-Math.sqrt(6 / 300), Math.sqrt(6 / 300))],
  ['heNormal', initializers.heNormal({ seed }), truncated(0, Math.sqrt(2 / 300) / kTruncated)],
  ['lecunUniform', initializers.lecunUniform({ seed }), uniform(-Math.sqrt(3 / 300), Math.sqrt(3 / 300))],
  ['lecunNormal', initializers.lecunNormal({ seed }), truncated(0, Math.sqrt(1 / 300) / kTruncated)],
  ['uniformFanIn', initializers.uniformFanIn({ seed }), uniform(-1 / Math.sqrt(300), 1 / Math.sqrt(300))],
  [
    'uniformFanIn of 50',
    initializers.uniformFanIn({ fanIn: 50, seed }),
    uniform(-1 / Math.sqrt(50), 1 / Math.sqrt(50)),
  ],
  [
    'varianceScaling',
    initializers.varianceScaling({ scale: 0.6, mode: 'fanOut', distribution: 'untruncatedNormal', seed }),
    normal(0, Math.sqrt(0.6 / 200)),
  ],
];

describe('Kolmogorov and Smirnov find no difference', () => {
  it.each(rows)('%s', (_, initializer, cdf) => {
    const values = initializer.sample(shape).dataSync() as Float32Array;
    expect(kolmogorov(values, cdf)).toBeLessThan(1.95);
  });

  test('and would find one of a few per cent', () => {
    const values = initializers.truncatedNormal({ stddev: 1, seed }).sample([60000]).dataSync() as Float32Array;
    expect(kolmogorov(values, truncated(0.02, 1))).toBeGreaterThan(1.95);
    expect(kolmogorov(values, truncated(0, 1.05))).toBeGreaterThan(1.95);
    expect(kolmogorov(values, normal(0, 1))).toBeGreaterThan(1.95);
  });
});

describe('moments', () => {
  const n = 1e6;
  const moments = (initializer: initializers.Initializer) => {
    const values = initializer.sample([n]).dataSync();
    const sums = [0, 0, 0, 0];
    for (const x of values) for (let k = 0; k < 4; k++) sums[k]! += x ** (k + 1);
    return sums.map((sum) => sum / n);
  };

  it('of the truncated normal', () => {
    const [mean, second, third, fourth] = moments(initializers.truncatedNormal({ stddev: 1, seed: 4 }));
    const edge = (4 * Math.exp(-2)) / Math.sqrt(2 * Math.PI) / (2 * phi(2) - 1); // 2a·φ(a) / (Φ(a) − Φ(−a)), a = 2
    expect(mean).toBeCloseTo(0, 2);
    expect(second).toBeCloseTo(1 - edge, 2);
    expect(third).toBeCloseTo(0, 2);
    expect(fourth).toBeCloseTo(3 * (1 - edge) - 4 * edge, 2);
    const values = initializers.truncatedNormal({ mean: 3, stddev: 1, seed: 4 }).sample([n]).dataSync() as Float32Array;
    expect(values.every((x) => x >= 1 && x <= 5)).toBe(true);
    expect(values.some((x) => x > 4.999) && values.some((x) => x < 1.001)).toBe(true);
  });

  it('of scaled ones are variance scale / n', () => {
    for (const distribution of ['truncatedNormal', 'untruncatedNormal', 'uniform'] as const) {
      const [mean, second] = moments(initializers.varianceScaling({ scale: n, distribution, seed: 2 }));
      expect(mean).toBeCloseTo(0, 2);
      expect(second).toBeCloseTo(1, 2);
    }
  });
});

describe('values are a function of seed and element', () => {
  const makers = {
    uniform: initializers.randomUniform({ seed: 7 }),
    normal: initializers.randomNormal({ seed: 7 }),
    truncated: initializers.truncatedNormal({ seed: 7 }),
    orthogonal: initializers.orthogonal({ seed: 7 }),
    sparse: initializers.sparse({ connections: 5, seed: 7 }),
  };
  // More elements than a chunk has, and no multiple of one.
  const sample = () =>
    Object.values(makers).map((made) =>
      createHash('sha256')
        .update(made.sample([257, 131]).dataSync() as Float32Array)
        .digest('hex'),
    );
  const first = sample();

  it.each([1, 2, 3, 7])('on %i threads', (threads) => {
    setThreads(threads);
    expect(sample()).toEqual(first);
    goHome();
  });

  it.each(binding.isas())('on %s', (isa) => {
    binding.selectIsa(isa);
    expect(sample()).toEqual(first);
    goHome();
  });

  it.each(testDevices)('on %s', (device) => {
    setDevice(device);
    expect(sample()).toEqual(first);
    goHome();
  });

  it('whatever the size of the tensor', () => {
    for (const [name, made] of Object.entries(makers).slice(0, 3)) {
      const long = made.sample([70001]).dataSync();
      for (const n of [1, 2, 3, 5, 255, 257, 16385, 40001])
        expect(
          Buffer.from(made.sample([n]).dataSync().buffer).equals(Buffer.from(long.slice(0, n).buffer)),
          `${name} ${n}`,
        ).toBe(true);
    }
  });
});
