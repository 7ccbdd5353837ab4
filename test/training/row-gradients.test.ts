// Gradients by rows and updates of touched rows alone: to the bit what whole gradients and whole updates give.
import {
  constraints,
  data,
  layers,
  type Model,
  optimizers,
  regularizers,
  schedules,
  seed,
  sequential,
  setThreads,
  tensor,
} from 'downhill';
import { afterEach, describe, expect, test, vi } from 'vitest';
import { binding } from '../../lib/binding/index.js';
import { random } from '../support.js';

const start = binding.isa();
afterEach(() => {
  vi.restoreAllMocks();
  binding.selectIsa(start);
  setThreads(2);
});

type Draw = () => number;
const pick = <T>(draw: Draw, items: readonly T[]): T => items[Math.floor(draw() * items.length)]!;
const whole = (draw: Draw, limit: number) => Math.floor(draw() * limit);

/** Options that may matter, each in some of the runs. */
function optimizerOf(draw: Draw): { make: () => optimizers.Optimizer; text: string } {
  const kind = pick(draw, ['sgd', 'sgd', 'adagrad', 'adagrad', 'ftrl', 'adam', 'rmsprop', 'adadelta'] as const);
  const often = <T extends object>(options: T, share = 0.15) => (draw() < share ? options : {});
  const clip = pick(draw, [
    {},
    {},
    {},
    { clipNorm: 0.02 },
    { clipValue: 0.001 },
    { globalClipNorm: 0.05 },
    { adaptiveClipFactor: 0.03 },
  ]);
  const options = {
    learningRate: 0.3,
    ...often({ learningRate: schedules.exponential({ initial: 0.4, rate: 0.9, steps: 3 }) }, 0.3),
    ...(kind === 'sgd' && often({ momentum: 0.6 })),
    ...(kind === 'ftrl' && often({ l2ShrinkageRegularizationStrength: 0.1 }, 0.3)),
    ...(kind === 'ftrl' && often({ learningRatePower: -0.7, l1RegularizationStrength: 0.001 }, 0.3)),
    ...(kind !== 'ftrl' && often({ preset: 'torch' as const }, 0.2)),
    ...often({ weightDecay: 0.01 }),
    ...often({ useEma: true, emaOverwriteFrequency: 2 }, 0.1),
    ...often({ gradientAccumulationSteps: 2 }, 0.1),
    ...often({ skipNonFinite: true }, 0.1),
    ...pick(draw, [...Array(8).fill({}), { lossScale: 'dynamic' }, { lossScaleFactor: 1024 }]),
    ...often({ groups: [{ match: /embeddings|kernel/, learningRate: 0.1 }] }, 0.2),
    ...clip,
  };
  return { make: () => optimizers[kind](options as object), text: `${kind} ${JSON.stringify(options)}` };
}

interface Problem {
  net: () => Model;
  x: unknown;
  y: Int32Array;
  rows: number;
}

/** A table of vectors that several layers may read, or a kernel behind sparse rows. */
function problemOf(draw: Draw): Problem {
  const rows = 19 + whole(draw, 20);
  const y = Int32Array.from({ length: rows }, () => whole(draw, 3));
  const penalty = draw() < 0.1 ? regularizers.l2({ l2: 0.01 }) : null;
  const constraint = draw() < 0.15 ? pick(draw, [constraints.maxNorm({ maxValue: 0.1 }), constraints.nonNeg()]) : null;
  if (draw() < 0.5) {
    const [inputDim, outputDim, length] = [130 + whole(draw, 900), 1 + whole(draw, 40), 1 + whole(draw, 4)];
    const x = Int32Array.from({ length: rows * length }, () => whole(draw, draw() < 0.5 ? 9 : inputDim));
    const net = () =>
      sequential([
        layers.embedding({
          inputDim,
          outputDim,
          inputShape: [length],
          embeddingsRegularizer: penalty,
          embeddingsConstraint: constraint,
        }),
        layers.flatten(),
        layers.dense({ units: 3, activation: 'softmax' }),
      ]);
    return { net, x, y, rows };
  }
  const [columns, units] = [800 + whole(draw, 900), 14 + whole(draw, 60)];
  const indptr = new Int32Array(rows + 1);
  const indices: number[] = [];
  for (let row = 0; row < rows; row++) {
    for (let k = whole(draw, 7); k > 0; k--) indices.push(whole(draw, draw() < 0.5 ? 70 : columns));
    indptr[row + 1] = indices.length;
  }
  const x = new data.SparseRows({
    shape: [rows, columns],
    indptr,
    indices: Int32Array.from(indices),
    values: Float32Array.from(indices, () => 2 * draw() - 1),
  });
  const net = () =>
    sequential([
      layers.input({ shape: [columns] }),
      layers.dense({ units, activation: 'tanh', kernelRegularizer: penalty, kernelConstraint: constraint }),
      layers.dense({ units: 3, activation: 'softmax' }),
    ]);
  return { net, x, y, rows };
}

function bits(net: Model, optimizer: optimizers.Optimizer): Int32Array[] {
  const slots = net.layers.flatMap(({ weights }) =>
    weights.flatMap(({ variable }) => optimizer.slotsOf(variable)?.map(({ storage }) => storage) ?? []),
  );
  const numbers = [
    ...net.getWeights().map((weight) => weight.dataSync() as Float32Array),
    ...slots.map((storage) => binding.storageRead(storage, 'float32') as Float32Array),
  ];
  return numbers.map((values) => new Int32Array(values.buffer, values.byteOffset, values.length));
}

/** Two fits with partial batches, single batches, weights set in between, and another optimizer. */
async function run({ net: build, x, y, rows }: Problem, make: () => optimizers.Optimizer, draw: Draw) {
  seed(11);
  const net = build();
  const compile = () => {
    const optimizer = make();
    net.compile({ optimizer, loss: 'sparseCategoricalCrossentropy' });
    return optimizer;
  };
  let optimizer = compile();
  const fit = (batchSize: number, epochs: number) =>
    net.fit(x as Float32Array, y, { batchSize, epochs, verbose: 0, onNonFinite: 'ignore' });
  await fit(1 + whole(draw, 8), 1);
  const seen = bits(net, optimizer);
  const one =
    x instanceof data.SparseRows ? x.slice(0, 3) : (x as Int32Array).slice(0, ((x as Int32Array).length / rows) * 3);
  for (let step = 0; step < 4; step++) {
    const dense = step === 2 && one instanceof data.SparseRows; // its gradient is whole
    await net.trainOnBatch(dense ? one.toDense() : (one as Int32Array), y.slice(0, 3));
  }
  const first = net.getWeights()[0];
  const values = Float32Array.from(first.dataSync());
  values.forEach((_, i) => {
    if (i % 7 === 0) values[i] = -0;
  });
  const [, ...rest] = net.getWeights();
  net.setWeights([tensor(values, first.shape), ...rest]);
  await fit(1 + whole(draw, 3), 1);
  seen.push(...bits(net, optimizer));
  if (draw() < 0.3) optimizer = compile();
  await fit(4, 2);
  seen.push(...bits(net, optimizer));
  return { net, seen };
}

/** The same with gradients that no step writes by rows. */
function byRows(allowed: boolean): void {
  vi.restoreAllMocks();
  if (allowed) return;
  const arena = binding.arena.bind(binding);
  vi.spyOn(binding, 'arena').mockImplementation((sizes, device) => arena(sizes, device));
}

describe.each(binding.isas())('on %s', (isa) => {
  test('random options: the bits of whole gradients and updates', async () => {
    binding.selectIsa(isa);
    let counted = 0;
    for (let round = 0; round < 40; round++) {
      const draw = random(1000 + round);
      const problem = problemOf(draw);
      const { make, text } = optimizerOf(draw);
      const results: Awaited<ReturnType<typeof run>>[] = [];
      for (const [allowed, threads] of [
        [false, 2],
        [true, 1 + (round % 3)],
      ] as const) {
        byRows(allowed);
        setThreads(threads);
        const result = await run(problem, make, random(round));
        const plan = result.net.program('train').describe();
        if (!allowed) expect(plan).not.toContain('touched rows');
        else if (plan.includes('updated alone')) counted++;
        results.push(result);
      }
      results[1].seen.forEach((values, i) => {
        const first = values.findIndex((value, k) => value !== results[0].seen[i][k]);
        expect(first, `round ${round}, array ${i}, ${text}`).toBe(-1);
      });
    }
    expect(counted).toBeGreaterThan(10);
  });
});

/** Enough values that several tasks write rows. */
test('large batches: the bits of whole gradients and updates, with any number of threads', async () => {
  const draw = random(77);
  const [rows, columns, length] = [96, 20_000, 30];
  const often = () => (draw() < 0.3 ? whole(draw, 40) : whole(draw, columns)); // many in one task's range
  const indices = Int32Array.from({ length: rows * length }, often);
  const x = {
    embedding: indices,
    dense: new data.SparseRows({
      shape: [rows, columns],
      indptr: Int32Array.from({ length: rows + 1 }, (_, row) => row * length),
      indices,
      values: Float32Array.from(indices, () => 2 * draw() - 1),
    }),
  };
  const y = Int32Array.from({ length: rows }, () => whole(draw, 3));
  for (const kind of ['embedding', 'dense'] as const) {
    const results: Int32Array[][] = [];
    for (const threads of [0, 1, 2, 3]) {
      byRows(threads > 0);
      setThreads(threads || 2);
      seed(5);
      const net = sequential([
        ...(kind === 'embedding'
          ? [layers.embedding({ inputDim: columns, outputDim: 200, inputShape: [length] }), layers.flatten()]
          : [layers.input({ shape: [columns] }), layers.dense({ units: 300 })]),
        layers.dense({ units: 3, activation: 'softmax' }),
      ]);
      const optimizer = optimizers.adagrad({ learningRate: 0.1 });
      net.compile({ optimizer, loss: 'sparseCategoricalCrossentropy' });
      await net.fit(x[kind] as Int32Array, y, { batchSize: 64, epochs: 4, verbose: 0 });
      expect(net.program('train').describe().includes('updated alone')).toBe(threads > 0);
      results.push(bits(net, optimizer));
    }
    for (const found of results.slice(1))
      found.forEach((values, i) => {
        expect(values.findIndex((value, k) => value !== results[0][i][k])).toBe(-1);
      });
  }
});
