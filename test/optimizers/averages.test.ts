// Moving averages and gradient accumulation as users meet them: in fit, by hand, in files.
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import {
  callbacks,
  type FitOptions,
  layers,
  loadModel,
  type Model,
  optimizers,
  schedules,
  seed,
  sequential,
  tensor,
  variable,
} from 'downhill';
import { afterAll, describe, expect, test } from 'vitest';
import { stateOf, withThreads } from '../io/models.js';
import { throwsAtOnce, quadrants } from '../support.js';

const folder = mkdtempSync(join(tmpdir(), 'downhill-averages-'));
afterAll(() => rmSync(folder, { recursive: true }));
let files = 0;
const fresh = () => join(folder, `${files++}.safetensors`);

const { x, oneHot } = quadrants(64);
type Make = (more: optimizers.OptimizerOptions) => optimizers.Optimizer;
const makers: Record<string, Make> = {
  sgd: (more) => optimizers.sgd({ learningRate: 0.1, ...more }),
  nesterov: (more) => optimizers.sgd({ learningRate: 0.1, momentum: 0.9, nesterov: true, ...more }),
  adam: (more) => optimizers.adam({ learningRate: 0.02, ...more }),
  torchAdam: (more) => optimizers.adam({ learningRate: 0.02, preset: 'torch', weightDecay: 0.1, ...more }),
};

function net(optimizer: optimizers.Optimizer, dropout = 0): Model {
  seed(5);
  const made = sequential([
    layers.dense({ units: 8, activation: 'tanh', inputShape: [2] }),
    ...(dropout > 0 ? [layers.dropout({ rate: dropout })] : []),
    layers.dense({ units: 2, activation: 'softmax' }),
  ]);
  made.compile({ optimizer, loss: 'categoricalCrossentropy' });
  return made;
}

const weights = (model: Model) => model.getWeights().flatMap((weight) => [...weight.dataSync()]);

function largestDifference(a: number[], b: number[]): number {
  expect(a.length).toBe(b.length);
  return Math.max(...a.map((value, i) => Math.abs(value - b[i]!)));
}

describe('gradientAccumulationSteps', () => {
  test.each(Object.keys(makers))('of k and batches of b are batches of k·b: %s', async (name) => {
    const options: FitOptions = { epochs: 4, shuffle: false, verbose: 0 };
    const falling = schedules.linear({ initial: 0.2, final: 0, steps: 16 });
    for (const more of [
      {},
      { globalClipNorm: 0.05 },
      { useEma: true, emaMomentum: 0.6, emaOverwriteFrequency: 3 },
      { learningRate: falling, weightDecay: 0.1 },
    ] as optimizers.OptimizerOptions[]) {
      const large = net(makers[name]!(more));
      await large.fit(x, oneHot, { ...options, batchSize: 16 });
      for (const k of [2, 4]) {
        // Keras's schedules count steps.
        const slower = more.learningRate === falling && !name.startsWith('torch');
        const stretched = slower && { learningRate: (step: number) => falling(Math.floor(step / k)) };
        const small = net(makers[name]!({ ...more, ...stretched, gradientAccumulationSteps: k }));
        await small.fit(x, oneHot, { ...options, batchSize: 16 / k });
        expect(largestDifference(weights(small), weights(large))).toBeLessThan(1e-5);
        const { iterations, steps } = small.compiled!.optimizer;
        expect([iterations, steps]).toEqual([16, 16 * k]);
      }
    }
  });

  test('goes on over the end of an epoch and of a fit', async () => {
    const whole = net(makers.sgd({ gradientAccumulationSteps: 3 }));
    const parts = net(makers.sgd({ gradientAccumulationSteps: 3 }));
    const options: FitOptions = { batchSize: 16, shuffle: false, verbose: 0 }; // 4 steps an epoch
    await whole.fit(x, oneHot, { ...options, epochs: 3 });
    for (let epoch = 0; epoch < 3; epoch++) await parts.fit(x, oneHot, options);
    expect(weights(parts)).toEqual(weights(whole));
    expect(parts.compiled!.optimizer.iterations).toBe(4);
  });

  test('counts updates', async () => {
    const optimizer = optimizers.sgd({ learningRate: 1, gradientAccumulationSteps: 3 });
    const w = variable([0]);
    for (const [i, gradient] of [3, 6, 9, 1, 2, 6].entries()) {
      await optimizer.applyGradients([[tensor([gradient]), w]]);
      expect([w.dataSync()[0], optimizer.iterations, optimizer.steps]).toEqual([
        i < 2 ? 0 : i < 5 ? -6 : -9,
        Math.floor((i + 1) / 3),
        i + 1,
      ]);
    }
    optimizer.iterations = 7;
    expect([optimizer.iterations, optimizer.steps]).toEqual([7, 21]);
  });
});

describe('useEma', () => {
  test('fit ends with the averages, those before it with the weights', async () => {
    const optimizer = makers.adam({ useEma: true, emaMomentum: 0.9 });
    const plain = net(makers.adam({}));
    const averaged = net(optimizer);
    const seen: number[][] = [];
    const watch = { onEpochEnd: () => void seen.push(weights(averaged)) };
    const expected: number[][] = [];
    const compare = { onTrainBatchEnd: () => void expected.push(weights(plain)) };
    const options: FitOptions = { batchSize: 16, epochs: 3, shuffle: false, verbose: 0 };
    await plain.fit(x, oneHot, { ...options, callbacks: [compare] });
    await averaged.fit(x, oneHot, { ...options, callbacks: [watch] });
    expect(seen).toEqual([3, 7, 11].map((step) => expected[step]));
    let average = expected[0]!;
    for (const values of expected.slice(1)) average = average.map((old, i) => 0.9 * old + 0.1 * values[i]!);
    expect(largestDifference(weights(averaged), average)).toBeLessThan(1e-6);
    // and onTrainEnd sees them
    const again = net(makers.adam({ useEma: true, emaMomentum: 0.9 }));
    let ended: number[] = [];
    const finish = {
      onTrainEnd: () => {
        ended = weights(again);
      },
    };
    await again.fit(x, oneHot, { ...options, callbacks: [finish] });
    expect(ended).toEqual(weights(averaged));
  });

  test('an aborted fit keeps the weights; one without an update changes nothing', async () => {
    const model = net(makers.sgd({ useEma: true }));
    const control = new AbortController();
    let last: number[] = [];
    const stop = {
      onTrainBatchEnd: (batch: number) => {
        last = weights(model);
        if (batch === 2) control.abort(new Error('enough'));
      },
    };
    const options: FitOptions = { batchSize: 16, verbose: 0 };
    await expect(model.fit(x, oneHot, { ...options, signal: control.signal, callbacks: [stop] })).rejects.toThrow();
    expect(weights(model)).toEqual(last);
    const idle = net(makers.sgd({ useEma: true, gradientAccumulationSteps: 9 }));
    const before = weights(idle);
    await idle.fit(x, oneHot, options);
    expect(weights(idle)).toEqual(before);
  });

  test('by hand', async () => {
    const optimizer = optimizers.sgd({ learningRate: 1, useEma: true, emaMomentum: 0.5 });
    const [w, late] = [variable([0]), variable([8])];
    await optimizer.applyGradients([[tensor([2]), w]]); // -2, which the average begins with
    await optimizer.applyGradients([[tensor([2]), w]]); // -4
    optimizer.finalizeVariableValues([w, late]);
    expect([w.dataSync()[0], late.dataSync()[0]]).toEqual([-3, 8]);
    await optimizer.applyGradients([[tensor([2]), late]]); // 6; its average began with 8
    optimizer.finalizeVariableValues([late]);
    expect(late.dataSync()[0]).toBe(7);
    expect(optimizer.slotNames).toEqual(['average']);
    expect(optimizers.adam({ useEma: true, gradientAccumulationSteps: 2 }).slotNames).toEqual([
      'momentum',
      'velocity',
      'average',
      'gradientAccumulator',
    ]);
  });
});

test('options out of their ranges', () => {
  const sgd = (options: object) => () => optimizers.sgd(options);
  throwsAtOnce('OUT_OF_RANGE', /gradientAccumulationSteps.*at least 2.*1/, sgd({ gradientAccumulationSteps: 1 }));
  throwsAtOnce('OUT_OF_RANGE', /integer/, sgd({ gradientAccumulationSteps: 2.5 }));
  throwsAtOnce('OUT_OF_RANGE', /emaMomentum.*at most 1/, sgd({ emaMomentum: 1.1 }));
  throwsAtOnce('OUT_OF_RANGE', /emaOverwriteFrequency.*at least 1/, sgd({ emaOverwriteFrequency: 0 }));
  throwsAtOnce('INVALID_ARGUMENT', /useEma/, sgd({ useEma: 1 }));
  expect(optimizers.sgd({ gradientAccumulationSteps: null, emaOverwriteFrequency: null }).slotNames).toEqual([]);
});

describe('resuming in the middle of an accumulation', () => {
  const schedulesByName: Record<string, () => schedules.ScheduleLike> = {
    linear: () => schedules.linear({ initial: 0.1, final: 0.01, steps: 10 }),
    cosineRestarts: () => schedules.cosineRestarts({ initial: 0.1, steps: 3 }),
    oneCycle: () => schedules.oneCycle({ max: 0.1, steps: 14 }),
    piecewise: () => schedules.piecewise({ boundaries: [3, 6], values: [0.1, 0.05, 0.02] }),
    inverseSqrt: () => schedules.inverseSqrt({ initial: 0.1, warmupSteps: 4 }),
    'one’s own': () => decreasing,
  };
  const decreasing = (step: number) => 0.1 / (1 + step) ** 0.7;
  const make = (name: string) =>
    net(
      makers.nesterov({
        learningRate: schedulesByName[name]!(),
        useEma: true,
        emaMomentum: 0.7,
        emaOverwriteFrequency: 3,
        gradientAccumulationSteps: 3,
      }),
      0.3,
    );
  const options: FitOptions = { batchSize: 10, epochs: 6, verbose: 0 }; // 7 steps an epoch, 42 in all

  test.each(Object.keys(schedulesByName))('%s', async (name) => {
    const expected = make(name);
    const { history } = await expected.fit(x, oneHot, options);
    expect(expected.compiled!.optimizer.iterations).toBe(14);
    const path = `${fresh()}-{step}`;
    await make(name).fit(x, oneHot, { ...options, callbacks: [callbacks.modelCheckpoint({ path, everySteps: 4 })] });
    for (const threads of [1, 2])
      for (const step of [4, 16, 20, 32]) {
        const again = make(name);
        seed(77);
        const resumed = await withThreads(threads, () =>
          again.fit(x, oneHot, { ...options, resume: path.replace('{step}', `${step}`) }),
        );
        expect(resumed.history, `from step ${step}`).toEqual(history);
        expect(stateOf(again), `from step ${step}`).toEqual(stateOf(expected));
      }
    // A model from the file goes on just so, as far as its optimizer is concerned.
    const loaded = await loadModel(path.replace('{step}', '20'), { customObjects: { decreasing } });
    const { steps, iterations, learningRate } = loaded.compiled!.optimizer;
    expect([steps, iterations]).toEqual([20, 6]);
    expect(learningRate).toBe(schedulesByName[name]!()(20));
    loaded.dispose();
  });

  test('saved after an abort', async () => {
    const expected = make('linear');
    await expected.fit(x, oneHot, options);
    const first = make('linear');
    const control = new AbortController();
    const stop = {
      onTrainBatchEnd: () => first.compiled!.optimizer.steps === 19 && control.abort(new Error('enough')),
    };
    await expect(first.fit(x, oneHot, { ...options, signal: control.signal, callbacks: [stop] })).rejects.toThrow();
    const path = fresh();
    await first.save(path);
    const again = make('linear');
    await again.fit(x, oneHot, { ...options, resume: path, callbacks: [] });
    expect(stateOf(again)).toEqual(stateOf(expected));
  });

  test('another schedule, or a number in place of one, is another model', async () => {
    const path = fresh();
    const first = make('linear');
    await first.fit(x, oneHot, { ...options, epochs: 1 });
    await first.save(path);
    const before = make('piecewise');
    const kept = stateOf(before);
    for (const other of [
      before,
      net(
        makers.nesterov({
          learningRate: 0.1,
          useEma: true,
          emaMomentum: 0.7,
          emaOverwriteFrequency: 3,
          gradientAccumulationSteps: 3,
        }),
        0.3,
      ), // prettier-ignore
    ])
      await expect(other.fit(x, oneHot, { ...options, resume: path })).rejects.toThrow(
        /compiled otherwise.*optimizer\.config\.learningRate/,
      );
    expect(stateOf(before)).toEqual(kept);
  });
});
