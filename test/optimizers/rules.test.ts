// What the update rules are beyond their golden trajectories: presets, where slots begin, the lecture's Nesterov, and the tables.
import { readdirSync, readFileSync } from 'node:fs';
import { deserialize, optimizers, schedules, setDevice, tensor, variable } from 'downhill';
import fc from 'fast-check';
import { afterAll, describe, expect, it, vi } from 'vitest';
import { binding } from '../../lib/binding/index.js';
import { codeOf, failure } from '../errors.js';
import { makeOptimizer, type OptimizerSpec, read } from '../golden/golden.js';
import { goHome, testDevices } from '../support-devices.js';

afterAll(goHome);

type Spec = OptimizerSpec & { name: string };
const golden = new URL('../golden/', import.meta.url);
const trajectories = readdirSync(golden)
  .filter((file) => /^update-(rules|programs)-.*\.json$/.test(file))
  .flatMap((file) => read<{ cases: Spec[] }>(file.slice(0, -'.json'.length)).cases);

const factories = Object.entries(optimizers)
  .filter(([name, value]) => typeof value === 'function' && /^[a-z]/.test(name) && name !== 'get')
  .map(([name]) => name);

/** Presets without trajectories of their own, which differ in nothing but the kind of decay and of schedule. */
const alike: Record<string, string[]> = { rprop: ['keras'], deltaBarDelta: ['keras'] };

/** Those that it accepts. */
const presetsOf = (factory: string) =>
  ['keras', 'torch', 'book'].filter((preset) => {
    try {
      return makeOptimizer({ optimizer: factory, options: { preset } }).preset === preset;
    } catch {
      return false;
    }
  });

describe('tables', () => {
  it('every row of native/optim/rules.def has a class and a golden trajectory', async () => {
    const made = vi.spyOn(binding, 'updaterNew');
    for (const spec of trajectories)
      await makeOptimizer(spec).applyGradients([
        [[1], variable([1])],
        [[[1]], variable([[1]])],
      ]);
    const used = new Set(made.mock.calls.flatMap(([, groups]) => groups.map(({ rule }) => rule)));
    made.mockRestore();
    expect([...used].sort()).toEqual(
      binding
        .rules()
        .map(({ name }) => name)
        .sort(),
    );
  });

  it.each(factories)(
    '%s has trajectories under each of its presets, its name, its docstring and its row in docs/optimizers.md',
    (factory) => {
      const own = trajectories.filter(({ optimizer }) => optimizer === factory);
      const proved = new Set([...own.map(({ options }) => options.preset), ...(alike[factory] ?? [])]);
      expect([...proved].sort()).toEqual(presetsOf(factory).sort());
      for (const name of [factory, factory.toUpperCase(), factory.replace(/[A-Z]/g, '_$&').toLowerCase()])
        expect(optimizers.get(name).name).toBe(factory);
      expect(deserialize('optimizer', factory).name).toBe(factory);

      const file = factory.replace(/[A-Z]/g, '-$&').toLowerCase();
      const source = readFileSync(new URL(`../../lib/optimizers/${file}.ts`, import.meta.url), 'utf8');
      const docstring = source.slice(source.lastIndexOf('/**'), source.indexOf(`export function ${factory}(`));
      for (const part of ['←', '@param options', '@throws', `@example optimizers.${factory}(`, '@see'])
        expect(docstring).toContain(part);
      const docs = readFileSync(new URL('../../docs/optimizers.md', import.meta.url), 'utf8');
      if (presetsOf(factory).length > 1) expect(docs).toMatch(new RegExp(`^\\| \`${factory}\` \\|`, 'm'));
    },
  );

  it.each(Object.entries(alike))('%s is the same under preset %s', async (factory, presets) => {
    const valuesOf = async (preset: string) => {
      const v = variable([1, 2]);
      const optimizer = makeOptimizer({ optimizer: factory, options: { preset } });
      for (const g of [
        [1, -2],
        [3, 1],
        [0.5, 2],
      ])
        await optimizer.applyGradients([[g, v]]); // prettier-ignore
      return v.dataSync();
    };
    const other = trajectories.find(({ optimizer }) => optimizer === factory)!.options.preset as string;
    for (const preset of presets) expect(await valuesOf(preset)).toEqual(await valuesOf(other));
  });

  it('Keras’s names are known', () => {
    const names = ['SGD', 'RMSprop', 'Adam', 'AdamW', 'Adadelta', 'Adagrad', 'Adamax', 'Nadam', 'Ftrl', 'Lion'];
    for (const name of names) expect(optimizers.get(name)).toBeInstanceOf(optimizers.Optimizer);
    expect(failure(() => optimizers.get('rmspropp')).message).toContain('Did you mean "rmsprop"?');
  });
});

describe('presets', () => {
  const defaults = (factory: string, preset: string) => {
    const {
      name,
      preset: _,
      learningRate,
      ...rest
    } = makeOptimizer({ optimizer: factory, options: { preset } }).getConfig();
    return { learningRate, ...rest };
  };

  it.each([
    ['sgd', 'book', { learningRate: 0.01, momentum: 0, nesterov: false }],
    ['adagrad', 'book', { learningRate: 0.001, initialAccumulatorValue: 0, epsilon: 1e-7 }],
    ['adagrad', 'torch', { learningRate: 0.01, initialAccumulatorValue: 0, epsilon: 1e-10, lrDecay: 0 }],
    ['adagrad', 'keras', { learningRate: 0.001, initialAccumulatorValue: 0.1, epsilon: 1e-7 }],
    [
      'rmsprop',
      'book',
      { learningRate: 0.001, rho: 0.9, momentum: 0, epsilon: 1e-6, centered: false, nesterov: false },
    ],
    ['rmsprop', 'torch', { learningRate: 0.01, rho: 0.99, epsilon: 1e-8 }],
    ['rmsprop', 'keras', { learningRate: 0.001, rho: 0.9, epsilon: 1e-7 }],
    ['adadelta', 'book', { learningRate: 1, rho: 0.95, epsilon: 1e-7 }],
    ['adadelta', 'torch', { learningRate: 1, rho: 0.9, epsilon: 1e-6 }],
    ['adadelta', 'keras', { learningRate: 0.001, rho: 0.95, epsilon: 1e-7 }],
    ['adam', 'book', { learningRate: 0.001, beta1: 0.9, beta2: 0.999, epsilon: 1e-8, amsgrad: false }],
    ['adamw', 'keras', { learningRate: 0.001, weightDecay: 0.004, epsilon: 1e-7 }],
    ['adamw', 'torch', { learningRate: 0.001, weightDecay: 0.01, epsilon: 1e-8 }],
    ['adamax', 'book', { learningRate: 0.002, epsilon: 1e-7 }],
    ['adamax', 'torch', { learningRate: 0.002, epsilon: 1e-8 }],
    ['nadam', 'keras', { learningRate: 0.001, epsilon: 1e-7 }],
    ['nadam', 'book', { learningRate: 0.002, epsilon: 1e-7 }],
    ['nadam', 'torch', { learningRate: 0.002, epsilon: 1e-8, momentumDecay: 0.004 }],
    ['rprop', 'torch', { learningRate: 0.01, etas: [0.5, 1.2], stepSizes: [1e-6, 50] }],
    ['lion', 'keras', { learningRate: 0.001, beta1: 0.9, beta2: 0.99 }],
  ])('%s of %s has its defaults', (factory, preset, expected) => {
    expect(defaults(factory, preset)).toMatchObject(expected);
  });

  it.each<[string, () => unknown, string]>([
    ['lion of PyTorch', () => optimizers.lion({ preset: 'torch' }), 'INVALID_ARGUMENT'],
    ['ftrl of the lecture', () => optimizers.ftrl({ preset: 'book' }), 'INVALID_ARGUMENT'],
    ['adamw of the lecture', () => optimizers.adamw({ preset: 'book' }), 'INVALID_ARGUMENT'],
    ['rprop of the lecture', () => optimizers.rprop({ preset: 'book' }), 'INVALID_ARGUMENT'],
    ['lrDecay without torch', () => optimizers.adagrad({ lrDecay: 0.1 }), 'INVALID_ARGUMENT'],
    ['momentumDecay without torch', () => optimizers.nadam({ momentumDecay: 1, preset: 'book' }), 'INVALID_ARGUMENT'],
    ['nesterov RMSprop without book', () => optimizers.rmsprop({ momentum: 0.9, nesterov: true }), 'INVALID_ARGUMENT'],
    ['it without momentum', () => optimizers.rmsprop({ nesterov: true, preset: 'book' }), 'INVALID_ARGUMENT'],
    ['AdamW without decay', () => optimizers.adamw({ weightDecay: null as never }), 'INVALID_ARGUMENT'],
    ['a power above 0', () => optimizers.ftrl({ learningRatePower: 0.5 }), 'OUT_OF_RANGE'],
    ['a beta of Lion of 0', () => optimizers.lion({ beta1: 0 }), 'OUT_OF_RANGE'],
    ['etas that do not shrink', () => optimizers.rprop({ etas: [1, 1.2] }), 'OUT_OF_RANGE'],
    ['three etas', () => optimizers.rprop({ etas: [0.5, 1, 2] as never }), 'INVALID_ARGUMENT'],
    ['step sizes in reverse', () => optimizers.rprop({ stepSizes: [1, 0.1] }), 'OUT_OF_RANGE'],
    ['a phi above 1', () => optimizers.deltaBarDelta({ phi: 1.1 }), 'OUT_OF_RANGE'],
    ['a rho above 1', () => optimizers.adadelta({ rho: 1.1 }), 'OUT_OF_RANGE'],
  ])('refuse %s', (_, body, code) => {
    expect(codeOf(body)).toBe(code);
  });

  it('decay under torch is coupled, but for AdamW', async () => {
    const valuesOf = async (optimizer: optimizers.Optimizer) => {
      const v = variable([1]);
      await optimizer.applyGradients([[[0], v]]);
      return v.dataSync()[0]!;
    };
    const options = { learningRate: 0.5, weightDecay: 0.1, preset: 'torch' as const };
    expect(await valuesOf(optimizers.adamw(options))).toBeCloseTo(0.95, 6);
    expect(await valuesOf(optimizers.adam(options))).toBeCloseTo(0.5, 5);
  });
});

describe.each(testDevices)('slots begin where their rule says, on %s', (device) => {
  const single = async (optimizer: optimizers.Optimizer, gradients: number[], start = 1) => {
    setDevice(device);
    const v = variable([start]);
    const values = [];
    for (const g of gradients) {
      await optimizer.applyGradients([[[g], v]]);
      values.push(v.dataSync()[0]!);
    }
    return values;
  };

  it('AdaGrad at initialAccumulatorValue, also for a variable that comes later', async () => {
    const optimizer = optimizers.adagrad({ learningRate: 1, initialAccumulatorValue: 8, epsilon: 0 });
    for (let i = 0; i < 2; i++) expect((await single(optimizer, [1]))[0]).toBeCloseTo(1 - 1 / 3, 6);
  });

  it('a velocity of PyTorch at the first gradient of its variable, whatever the count of updates', async () => {
    const optimizer = optimizers.sgd({ learningRate: 1, momentum: 0.5, dampening: 0.75, preset: 'torch' });
    const expected = [0, -0.75, -1.375]; // b: 1, 0.75, 0.625
    for (let i = 0; i < 2; i++) expect(await single(optimizer, [1, 1, 1])).toEqual(expected);
    expect(optimizer.iterations).toBe(6);
    // A first gradient of 0 or -0 is one: the second is dampened.
    for (const zero of [0, -0]) expect(await single(optimizer, [zero, 1, 0], -1)).toEqual([-1, -1.25, -1.375]);
  });

  it('Rprop and delta-bar-delta at the learning rate of their first update', async () => {
    const rate = schedules.inverseTime({ initial: 0.5, decay: 1 });
    const rprop = optimizers.rprop({ learningRate: rate });
    expect(await single(rprop, [3, 0], 0)).toEqual([-0.5, -0.5]);
    expect((await single(rprop, [-3], 0))[0]).toBeCloseTo(0.5 / 3, 6);
    const bars = optimizers.deltaBarDelta({ learningRate: 0.5, kappa: 0.25, phi: 0.5, theta: 0 });
    expect(await single(bars, [1, 1, -1], 0)).toEqual([-0.5, -1.25, -0.875]); // rates: 0.5, 0.75, 0.375
    bars.learningRate = 9;
    expect(await single(bars, [1], 0)).toEqual([-9]);
  });

  it('in memory that is side by side: every element of every variable', async () => {
    setDevice(device);
    const sizes = [1, 17, 5000, 3];
    const variables = sizes.map((size) => variable(new Float32Array(size).fill(1)));
    const optimizer = optimizers.rprop({ learningRate: 0.25 });
    await optimizer.applyGradients(variables.map((v) => [new Float32Array(v.size).fill(2), v]));
    for (const v of variables) expect(new Set(v.dataSync())).toEqual(new Set([0.75]));
  });
});

describe('edges', () => {
  it('RMSprop without epsilon leaves alone what has had no gradient, and lets NaN through', async () => {
    const v = variable([1, 1, 1, 1]);
    const optimizer = optimizers.rmsprop({ preset: 'book', momentum: 0.5, nesterov: true, learningRate: 0.1 });
    for (let i = 0; i < 3; i++) await optimizer.applyGradients([[[0, 1e-30, 1, NaN], v]]);
    const [first, second, third, fourth] = v.dataSync();
    expect([first, second, fourth]).toEqual([1, 1, NaN]);
    expect(third).toBeLessThan(0.9);
  });

  it('centered RMSprop with equal gradients stays finite where PyTorch takes the root of a rounding error', async () => {
    const v = variable(new Float32Array(64).fill(1));
    const optimizer = optimizers.rmsprop({ preset: 'torch', centered: true, rho: 0.5, learningRate: 1e-9 });
    const gradient = Float32Array.from({ length: 64 }, (_, i) => 1 + i / 7);
    for (let i = 0; i < 60; i++) await optimizer.applyGradients([[gradient, v]]);
    expect(v.dataSync().every(Number.isFinite)).toBe(true);
  });

  it('Rprop compares signs of gradients whose product is 0', async () => {
    const v = variable([0]);
    const optimizer = optimizers.rprop({ learningRate: 1, etas: [0.5, 2] });
    for (let i = 0; i < 2; i++) await optimizer.applyGradients([[[1e-30], v]]);
    expect(v.dataSync()[0]).toBe(-3);
  });

  it('FTRL at a rate of 0 moves nothing, and counts no gradient', async () => {
    const rates = schedules.piecewise({ boundaries: [1], values: [0, 0.5] });
    const valuesOf = async (learningRate: optimizers.FtrlOptions['learningRate'], count: number) => {
      const v = variable([2]);
      const optimizer = optimizers.ftrl({ learningRate, initialAccumulatorValue: 1 });
      for (let i = 0; i < count; i++) await optimizer.applyGradients([[[1], v]]);
      return v.dataSync()[0];
    };
    expect(await valuesOf(0, 3)).toBe(2);
    expect(await valuesOf(rates, 3)).toBe(await valuesOf(0.5, 1));
  });
});

// Each step of the lecture, in float64: interim point, gradient there, velocity, parameters.
describe('the lecture’s Nesterov momentum: the weights are its interim points', () => {
  const vector = (n: number, limit: number) =>
    fc.array(fc.double({ min: -limit, max: limit, noNaN: true }), { minLength: n, maxLength: n });
  const problems = fc.integer({ min: 1, max: 5 }).chain((n) =>
    fc.record({
      factor: fc.array(vector(n, 1), { minLength: n, maxLength: n }),
      target: vector(n, 2),
      start: vector(n, 2),
    }),
  );
  /** ∇ of ½‖A(θ - target)‖². */
  const gradientOf = (factor: number[][], target: number[]) => (theta: number[]) => {
    const residual = factor.map((row) => row.reduce((sum, a, i) => sum + a * (theta[i]! - target[i]!), 0));
    return theta.map((_, i) => factor.reduce((sum, row, k) => sum + row[i]! * residual[k]!, 0));
  };
  const settings = fc.record({
    momentum: fc.double({ min: 0.05, max: 0.95, noNaN: true }),
    learningRate: fc.double({ min: 1e-3, max: 0.05, noNaN: true }),
    rho: fc.double({ min: 0.5, max: 0.95, noNaN: true }),
    adaptive: fc.boolean(),
  });

  it.each(['keras', 'book'] as const)('preset %s', async (preset) => {
    await fc.assert(
      fc.asyncProperty(
        problems,
        settings,
        async ({ factor, target, start }, { momentum, learningRate, rho, adaptive }) => {
          const epsilon = 1e-3;
          const rms = adaptive && preset === 'book';
          const optimizer = rms
            ? optimizers.rmsprop({ preset, momentum, learningRate, rho, epsilon, nesterov: true })
            : optimizers.sgd({ preset, momentum, learningRate, nesterov: true });
          const gradient = gradientOf(factor, target);
          const weights = variable(start);
          let theta = [...weights.dataSync()];
          let velocity = theta.map(() => 0);
          let squares = theta.map(() => 0);
          for (let step = 0; step < 12; step++) {
            const interim = theta.map((value, i) => value + momentum * velocity[i]!);
            const held = weights.dataSync();
            for (const [i, value] of interim.entries())
              expect(Math.abs(held[i]! - value)).toBeLessThan(2e-5 * (1 + Math.abs(value)));
            await optimizer.applyGradients([[tensor(gradient([...held])), weights]]);
            const g = gradient(interim);
            squares = squares.map((r, i) => rho * r + (1 - rho) * g[i]! ** 2);
            velocity = velocity.map(
              (v, i) => momentum * v - (rms ? learningRate / Math.sqrt(epsilon + squares[i]!) : learningRate) * g[i]!,
            );
            theta = theta.map((value, i) => value + velocity[i]!);
          }
        },
      ),
      { numRuns: 40 },
    );
  });
});
