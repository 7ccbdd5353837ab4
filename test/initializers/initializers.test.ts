import { DownhillError, initializers, seed, setThreads } from 'downhill';
import { afterAll, describe, expect, it } from 'vitest';
import { binding } from '../../lib/binding/index.js';
import { resolveInitializer } from '../../lib/initializers/index.js';
import { drawSeed } from '../../lib/random.js';
import { codeOf, failure } from '../errors.js';

const start = binding.threads();
afterAll(() => setThreads(start));

function moments(values: ArrayLike<number>) {
  const list = Array.from(values);
  const mean = list.reduce((a, b) => a + b, 0) / list.length;
  const deviation = Math.sqrt(list.reduce((a, b) => a + (b - mean) ** 2, 0) / list.length);
  return { mean, deviation, min: Math.min(...list), max: Math.max(...list) };
}

describe('initializers', () => {
  it('fill with constants', () => {
    expect(initializers.zeros().sample([2, 2]).arraySync()).toEqual([
      [0, 0],
      [0, 0],
    ]);
    expect(initializers.ones().sample([3]).arraySync()).toEqual([1, 1, 1]);
    expect(initializers.constant({ value: 0.5 }).sample([]).arraySync()).toBe(0.5);
    expect(initializers.constant().sample([1]).arraySync()).toEqual([0]);
    expect(initializers.zeros().sample([0, 4]).shape).toEqual([0, 4]);
  });

  it('draw from their distributions', () => {
    const normal = moments(initializers.randomNormal({ mean: 1, stddev: 0.5, seed: 1 }).sample([200, 200]).dataSync());
    expect(Math.abs(normal.mean - 1)).toBeLessThan(0.01);
    expect(Math.abs(normal.deviation - 0.5)).toBeLessThan(0.01);
    const uniform = moments(
      initializers.randomUniform({ minval: -1, maxval: 3, seed: 1 }).sample([200, 200]).dataSync(),
    );
    expect(Math.abs(uniform.mean - 1)).toBeLessThan(0.02);
    expect(uniform.min).toBeGreaterThanOrEqual(-1);
    expect(uniform.max).toBeLessThan(3);
    expect(uniform.max).toBeGreaterThan(2.99);
  });

  it.each([
    [[784, 32], 784, 32],
    [[3, 3, 16, 32], 144, 288],
    [[100], 100, 100],
  ])('glorotUniform of %o has the bound of its fans', (shape, fanIn, fanOut) => {
    const limit = Math.sqrt(6 / (fanIn + fanOut));
    const { min, max, deviation } = moments(initializers.glorotUniform({ seed: 3 }).sample(shape).dataSync());
    expect(max).toBeLessThan(limit);
    expect(min).toBeGreaterThanOrEqual(-limit);
    expect(max).toBeGreaterThan(0.9 * limit);
    expect(min).toBeLessThan(-0.9 * limit);
    expect(Math.abs(deviation - limit / Math.sqrt(3))).toBeLessThan(0.15 * limit);
  });

  it('repeat with a seed of their own, and draw anew without', () => {
    const own = initializers.glorotUniform({ seed: 5 });
    expect(own.sample([4]).dataSync()).toEqual(own.sample([4]).dataSync());
    expect(own.sample([4]).dataSync()).not.toEqual(initializers.glorotUniform({ seed: 6 }).sample([4]).dataSync());
    const drawn = initializers.glorotUniform();
    expect(drawn.sample([4]).dataSync()).not.toEqual(drawn.sample([4]).dataSync());
  });

  it('follow the library seed, at any number of threads', () => {
    const draw = () => {
      seed(42);
      const first = initializers.randomNormal().sample([300, 300]).dataSync();
      return [first, initializers.glorotUniform().sample([5]).dataSync(), drawSeed(), drawSeed()];
    };
    setThreads(1);
    const one = draw();
    setThreads(3);
    expect(draw()).toEqual(one);
    expect(one[2]).not.toBe(one[3]);
    seed(43);
    expect(initializers.randomNormal().sample([300, 300]).dataSync()).not.toEqual(one[0]);
  });

  it('are found by name', () => {
    for (const name of ['glorotUniform', 'glorot_uniform', 'GlorotUniform'])
      expect(resolveInitializer('kernelInitializer', name).name).toBe('initializers.glorotUniform');
    expect(resolveInitializer('x', 'normal').name).toBe('initializers.randomNormal');
    const error = failure(() => resolveInitializer('kernelInitializer', 'glorotUnifrom'));
    expect([error.code, error.message]).toEqual([
      'UNKNOWN_NAME',
      expect.stringContaining('Did you mean "glorotUniform"?'),
    ]);
    expect(codeOf(() => resolveInitializer('x', 5))).toBe('INVALID_ARGUMENT');
  });

  it.each<[string, () => unknown, string]>([
    ['an unknown option', () => initializers.zeros({ seed: 1 } as never), 'UNKNOWN_OPTION'],
    ['a negative deviation', () => initializers.randomNormal({ stddev: -1 }), 'OUT_OF_RANGE'],
    ['bounds in the wrong order', () => initializers.randomUniform({ minval: 1, maxval: 0 }), 'OUT_OF_RANGE'],
    ['a fractional seed', () => initializers.glorotUniform({ seed: 0.5 }), 'OUT_OF_RANGE'],
    ['a bad shape', () => initializers.ones().sample([-1]), 'INVALID_ARGUMENT'],
    ['a bad library seed', () => seed(-1), 'OUT_OF_RANGE'],
    ['a library seed of text', () => seed('1' as never), 'INVALID_ARGUMENT'],
  ])('refuse %s', (_, body, code) => {
    expect(codeOf(body)).toBe(code);
  });
});

it('errors of the addon are DownhillErrors', () => {
  expect(failure(() => binding.selectIsa('mmx'))).toBeInstanceOf(DownhillError);
  expect(codeOf(() => binding.graphShape({} as never, 0))).toBe('INVALID_ARGUMENT');
});
