// Schedules as users meet them: called, given to optimizers, of one's own; the formulas are test/golden's.
import {
  DownhillError,
  deserialize,
  type FitOptions,
  layers,
  type Model,
  optimizers,
  schedules,
  sequential,
  serialize,
  tensor,
  variable,
} from 'downhill';
import { describe, expect, test } from 'vitest';
import { quadrants } from '../support.js';

const { x, oneHot } = quadrants(60);

/** Weight after each of `steps` updates by gradient 1: 0 minus the sum of the rates. */
async function descend(optimizer: optimizers.Optimizer, steps: number): Promise<number[]> {
  const w = variable([0]);
  const weights: number[] = [];
  for (let step = 0; step < steps; step++) {
    await optimizer.applyGradients([[tensor([1]), w]]);
    weights.push(w.dataSync()[0]!);
  }
  return weights;
}

const sums = (rates: number[]) => rates.map((_, i) => -rates.slice(0, i + 1).reduce((a, b) => a + b, 0));

function expectClose(actual: number[], expected: number[]): void {
  expect(actual.length).toBe(expected.length);
  for (const [i, value] of expected.entries()) expect(actual[i], `step ${i}`).toBeCloseTo(value, 6);
}

class Halving extends schedules.Schedule {
  readonly first: number;
  #calls = 0;

  constructor({ first }: { first: number }) {
    super();
    this.first = first;
  }

  override at(step: number): number {
    this.#calls++;
    return this.first / 2 ** step;
  }

  override getConfig() {
    return { first: this.first };
  }

  get calls(): number {
    return this.#calls;
  }
}

function model(learningRate: number | schedules.ScheduleLike, more: optimizers.OptimizerOptions = {}): Model {
  const net = sequential([
    layers.dense({ units: 2, activation: 'softmax', inputShape: [2], kernelInitializer: 'zeros' }),
  ]);
  net.compile({ optimizer: optimizers.sgd({ learningRate, ...more }), loss: 'categoricalCrossentropy' });
  return net;
}

describe('a schedule', () => {
  test('is a function of the step, and an object', () => {
    const schedule = schedules.linear({ initial: 1, final: 0, steps: 4 });
    expect([0, 1, 2, 3, 4, 9].map((step) => schedule(step))).toEqual([1, 0.75, 0.5, 0.25, 0, 0]);
    expect(schedule.at(2)).toBe(0.5);
    expect(typeof schedule).toBe('function');
    expect(schedule).toBeInstanceOf(schedules.Schedule);
    expect(schedule.name).toBe('Linear');
    expect(schedule.call(null, 2)).toBe(0.5);
    expect(schedule.getConfig()).toEqual({ initial: 1, final: 0, steps: 4 });
  });

  test('checks its options and steps', () => {
    const fails = (make: () => unknown, code: string, text: RegExp) => {
      expect(make).toThrow(DownhillError);
      expect(make).toThrow(expect.objectContaining({ code, message: expect.stringMatching(text) }));
    };
    fails(() => schedules.linear({ initial: -1, final: 0, steps: 4 }), 'OUT_OF_RANGE', /initial.*at least 0.*-1/);
    fails(() => schedules.linear({ initial: 1, final: 0, steps: 0 }), 'OUT_OF_RANGE', /steps.*at least 1.*0/);
    fails(() => schedules.linear({ initial: 1, steps: 4 } as never), 'INVALID_ARGUMENT', /needs the option "final"/);
    fails(() => schedules.cosine({ initial: 1, step: 4 } as never), 'UNKNOWN_OPTION', /"step".*"steps"/);
    fails(() => schedules.cosine({ initial: 1, steps: 4, warmupSteps: 2 }), 'INVALID_ARGUMENT', /warmupTarget/);
    fails(() => schedules.piecewise({ boundaries: [1], values: [1] }), 'INVALID_ARGUMENT', /one more/);
    fails(() => schedules.piecewise({ boundaries: [2, 1], values: [1, 2, 3] }), 'INVALID_ARGUMENT', /ascend/);
    fails(() => schedules.piecewise({ boundaries: 3, values: [1] } as never), 'INVALID_ARGUMENT', /list/);
    fails(() => schedules.warmup({ steps: 3, then: 'cosine' } as never), 'INVALID_ARGUMENT', /then.*schedule.*cosine/);
    fails(() => schedules.oneCycle({ max: 1, steps: 3, pctStart: 2 }), 'OUT_OF_RANGE', /pctStart/);
    fails(() => schedules.constant(Number.NaN), 'OUT_OF_RANGE', /value/);
    fails(() => schedules.constant(1)(-1), 'OUT_OF_RANGE', /schedules.constant: step.*-1/);
    fails(() => schedules.constant(1)('1' as never), 'INVALID_ARGUMENT', /step/);
    fails(() => new schedules.Schedule()(0), 'INVALID_ARGUMENT', /Schedule must override at/);
    fails(() => new schedules.Schedule().getConfig(), 'INVALID_ARGUMENT', /getConfig/);
    fails(() => optimizers.sgd({ learningRate: '0.1' as never }), 'INVALID_ARGUMENT', /learningRate.*schedule.*0\.1/);
  });

  test('warms up to whatever follows', () => {
    const after = [0.8, 0.4, 0.2];
    const expected = [0.2, 0.4, 0.6, ...after];
    const thens = [
      schedules.exponential({ initial: 0.8, rate: 0.5, steps: 1 }),
      new Halving({ first: 0.8 }),
      (step: number) => 0.8 / 2 ** step,
    ];
    for (const then of thens) {
      const schedule = schedules.warmup({ steps: 3, then, initial: 0.2 });
      expectClose(
        [0, 1, 2, 3, 4, 5].map((step) => schedule(step)),
        expected,
      );
    }
    expect(schedules.warmup({ steps: 4, then: 1 })(1)).toBe(0.25);
  });
});

describe('an optimizer with a schedule', () => {
  const rates = [0.5, 0.25, 0.125, 0.0625, 0.03125];
  const builtIn = () => schedules.exponential({ initial: 0.5, rate: 0.5, steps: 1 });
  const own = () => new Halving({ first: 0.5 });
  const plain = () => (step: number) => 0.5 / 2 ** step;

  test.each(Object.entries({ builtIn, own, plain }))('takes the rate of each update: %s', async (_, make) => {
    const optimizer = optimizers.sgd({ learningRate: make() });
    expect(optimizer.learningRate).toBe(0.5);
    expectClose(await descend(optimizer, 5), sums(rates));
    expect(optimizer.learningRate).toBe(0.5 / 32);
    optimizer.iterations = 1;
    expect(optimizer.learningRate).toBe(0.25);
    expectClose(await descend(optimizer, 1), [-0.25]);
  });

  test('gives an update that accumulates the rate of its last step, as Keras', async () => {
    for (const make of [builtIn, own, plain]) {
      const optimizer = optimizers.sgd({ learningRate: make(), gradientAccumulationSteps: 2 });
      expect(optimizer.learningRate).toBe(0.25);
      expectClose(await descend(optimizer, 5), [0, -0.25, -0.25, -0.3125, -0.3125]);
      expect([optimizer.iterations, optimizer.steps, optimizer.learningRate]).toEqual([2, 5, 0.015625]);
    }
  });

  test('counts updates, not steps, under preset torch', async () => {
    for (const make of [builtIn, own, plain]) {
      const optimizer = optimizers.sgd({ learningRate: make(), gradientAccumulationSteps: 2, preset: 'torch' });
      expectClose(await descend(optimizer, 5), [0, -0.5, -0.5, -0.75, -0.75]);
      expect([optimizer.iterations, optimizer.steps, optimizer.learningRate]).toEqual([2, 5, 0.125]);
    }
  });

  test.each(['keras', 'torch'] as const)(
    'is the same built in and of one’s own in a fit that accumulates: %s',
    async (preset) => {
      const weights = async (rate: schedules.ScheduleLike, more: FitOptions = {}) => {
        const net = model(rate, { gradientAccumulationSteps: 3, preset });
        // 8 steps an epoch, so that updates run over its end.
        await net.fit(x, oneHot, { batchSize: 8, epochs: 3, shuffle: false, verbose: 0, ...more });
        return net.getWeights().map((weight) => [...weight.dataSync()]);
      };
      const decay = { initial: 0.5, rate: 0.9, steps: 2 };
      const expected = await weights(schedules.exponential(decay));
      const mine = (step: number) => schedules.exponential(decay)(step);
      expect(await weights(mine)).toEqual(expected);
      // One step at a time, under a hook for batches.
      expect(await weights(mine, { callbacks: [{ onTrainBatchEnd: () => {} }] })).toEqual(expected);
    },
  );

  test('cannot be set to a number, but to another schedule', async () => {
    const optimizer = optimizers.sgd({ learningRate: builtIn() });
    expect(() => {
      optimizer.learningRate = 0.1;
    }).toThrow(/follows a schedule.*0\.1.*schedules\.constant\(0\.1\)/s);
    expectClose(await descend(optimizer, 1), [-0.5]);
    optimizer.learningRate = schedules.constant(0.1);
    expectClose(await descend(optimizer, 2), [-0.1, -0.2]);
    optimizer.learningRate = plain();
    expectClose(await descend(optimizer, 1), [-0.5 / 8]);
    const free = optimizers.sgd({ learningRate: 0.1 });
    expectClose(await descend(free, 1), [-0.1]);
    free.learningRate = own();
    expectClose(await descend(free, 1), [-0.25]);
    const net = model(builtIn());
    expect(() => net.setLearningRate(0.1)).toThrow(/schedule/);
  });

  test('refuses a rate that is none, and says so', async () => {
    for (const bad of [Number.NaN, -1, undefined, '1'] as never[]) {
      const net = model((step: number) => (step < 3 ? 0.1 : bad));
      await expect(net.fit(x, oneHot, { batchSize: 10, epochs: 3, verbose: 0 })).rejects.toThrow(
        /learningRate: the rate at step 3/,
      );
    }
    const failing = model(() => {
      throw new RangeError('mine');
    });
    await expect(failing.fit(x, oneHot, { verbose: 0 })).rejects.toThrow(RangeError);
    await expect(failing.trainOnBatch(x, oneHot)).rejects.toThrow('mine');
  });
});

describe('fit with a schedule', () => {
  const options = { batchSize: 1, epochs: 40, shuffle: false, verbose: 0 as const }; // 2400 steps: more than are looked ahead
  const bits = (net: Model) => net.getWeights().map((weight) => [...weight.dataSync()]);

  test('of one’s own equals that of the library, to the bit', async () => {
    const builtIn = schedules.inverseTime({ initial: 0.5, decay: 0.01 });
    const expected = model(builtIn);
    await expected.fit(x, oneHot, options);
    const other = model(schedules.constant(0.5));
    await other.fit(x, oneHot, options);
    expect(bits(other)).not.toEqual(bits(expected));
    for (const more of [{}, { callbacks: [{ onTrainBatchEnd: () => {} }] }]) {
      const own = model((step) => builtIn(step));
      await own.fit(x, oneHot, { ...options, ...more });
      expect(bits(own)).toEqual(bits(expected));
    }
    const stepped = model((step) => builtIn(step));
    for (let epoch = 0; epoch < 2; epoch++)
      for (let row = 0; row < 60; row++)
        await stepped.trainOnBatch(x.subarray(2 * row, 2 * row + 2), oneHot.subarray(2 * row, 2 * row + 2));
    const short = model(builtIn);
    await short.fit(x, oneHot, { ...options, epochs: 2 });
    expect(bits(stepped)).toEqual(bits(short));
  });

  test('looks ahead a bounded number of steps', async () => {
    const schedule = new Halving({ first: 0.5 });
    const net = model(schedule);
    await net.fit(x, oneHot, { batchSize: 60, epochs: 3, verbose: 0 });
    expect(schedule.calls).toBeLessThanOrEqual(3 * 1024);
    const watched = new Halving({ first: 0.5 });
    await model(watched).fit(x, oneHot, {
      batchSize: 60,
      epochs: 3,
      verbose: 0,
      callbacks: [{ onTrainBatchEnd: () => {} }],
    });
    expect(watched.calls).toBe(3);
  });

  test('takes another schedule between batches', async () => {
    const net = model(0.1);
    const rates: number[] = [];
    await net.fit(x, oneHot, {
      batchSize: 30,
      epochs: 2,
      verbose: 0,
      callbacks: [
        {
          onTrainBatchEnd: () => {
            const { optimizer } = net.compiled!;
            rates.push(optimizer.learningRate);
            if (optimizer.iterations === 2) optimizer.learningRate = (step) => step / 10;
          },
        },
      ],
    });
    expect(rates).toEqual([0.1, 0.1, 0.3, 0.4]);
  });
});

describe('a schedule in a config', () => {
  test('of the library, within a model', () => {
    const then = schedules.cosine({ initial: 0.5, steps: 10 });
    const optimizer = optimizers.sgd({ learningRate: schedules.warmup({ steps: 3, then }) });
    const again = deserialize('optimizer', JSON.parse(JSON.stringify(serialize(optimizer))));
    for (const iterations of [0, 2, 3, 8, 20]) {
      again.iterations = optimizer.iterations = iterations;
      expect(again.learningRate).toBe(optimizer.learningRate);
    }
    expect(serialize(optimizer).config.learningRate).toMatchObject({
      className: 'Warmup',
      config: { then: { className: 'CosineDecay' } },
    });
  });

  test('of one’s own, by name', () => {
    const halving = (step: number) => 0.5 / 2 ** step;
    const make = (learningRate: schedules.ScheduleLike) => serialize(optimizers.adam({ learningRate }));
    const own = make(new Halving({ first: 0.25 }));
    expect(own.config.learningRate).toEqual({ className: 'Halving', custom: true, config: { first: 0.25 } });
    expect(() => deserialize('optimizer', own)).toThrow(/learningRate.*unknown schedule "Halving".*customObjects/);
    expect(deserialize('optimizer', own, { Halving }).learningRate).toBe(0.25);
    const plain = make(halving);
    expect(plain.config.learningRate).toEqual({ className: 'Function', config: { name: 'halving' } });
    expect(() => deserialize('optimizer', plain)).toThrow(/the schedule is a function of your own, "halving"/);
    expect(deserialize('optimizer', plain, { halving }).learningRate).toBe(0.5);
    expect(() => deserialize('optimizer', own, { Halving: () => 3 })).toThrow(/must make a schedule/);
  });
});
