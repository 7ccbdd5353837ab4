// What golden numbers do not show of Adafactor, Muon and constraints: slots, groups, files, and what is refused.
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { constraints, layers, loadModel, ops, optimizers, seed, sequential, tensor, variable } from 'downhill';
import { afterAll, describe, expect, test } from 'vitest';
import { stateOf } from '../io/models.js';
import { fails, randomArray, throwsAtOnce } from '../support.js';

const folder = mkdtempSync(join(tmpdir(), 'downhill-programs-'));
afterAll(() => rmSync(folder, { recursive: true }));

const shapes = { kernel: [4, 3], bias: [3], cube: [2, 3, 4], scalar: [] as number[] };
type Name = keyof typeof shapes;
const size = (shape: number[]) => shape.reduce((n, d) => n * d, 1);
const variables = (...names: Name[]) =>
  names.map((name, i) => variable(randomArray(size(shapes[name]), i + 1), { shape: shapes[name], name }));
const values = (of: ReturnType<typeof variables>) => of.map((v) => [...v.dataSync()]);

async function updated(optimizer: optimizers.Optimizer, of: ReturnType<typeof variables>, steps = 3) {
  for (let step = 0; step < steps; step++)
    await optimizer.applyGradients(of.map((v) => [tensor(randomArray(v.size, 50 + step), [...v.shape]), v] as const));
  return values(of);
}

const slotsOf = (optimizer: optimizers.Optimizer, v: ReturnType<typeof variable>) =>
  Object.fromEntries(optimizer.slotsOf(v)!.map(({ name, shape }) => [name, [...shape]]));

describe('slots have shapes of their own', () => {
  test('adafactor', async () => {
    const optimizer = optimizers.adafactor({ useEma: true });
    const all = variables('kernel', 'bias', 'cube', 'scalar');
    expect(optimizer.slotsOf(all[0]!)).toBeNull();
    await updated(optimizer, all);
    expect(all.map((v) => slotsOf(optimizer, v))).toEqual([
      { rowVariance: [4], columnVariance: [3], average: [4, 3] },
      { variance: [3], average: [3] },
      { rowVariance: [2, 3], columnVariance: [2, 4], average: [2, 3, 4] },
      { variance: [], average: [] },
    ]);
    expect(optimizer.slotNames).toEqual(['rowVariance', 'columnVariance', 'variance', 'average']);
  });

  test('muon', async () => {
    const optimizer = optimizers.muon({ gradientAccumulationSteps: 2 });
    const [kernel, bias] = variables('kernel', 'bias') as [ReturnType<typeof variable>, ReturnType<typeof variable>];
    await updated(optimizer, [kernel, bias]);
    expect(slotsOf(optimizer, kernel)).toEqual({ momentum: [4, 3], gradientAccumulator: [4, 3] });
    expect(slotsOf(optimizer, bias)).toEqual({ momentum: [3], velocity: [3], gradientAccumulator: [3] });
  });
});

describe('groups', () => {
  test('have the numbers of an optimizer of their own, also those in the program', async () => {
    const options = { learningRate: 0.5, epsilon2: 0.1, clipThreshold: 0.5, beta2Decay: -0.3 };
    const [kernel, cube] = await updated(
      optimizers.adafactor({ learningRate: 0.2, groups: [{ match: 'cube', ...options }] }),
      variables('kernel', 'cube'),
    );
    expect([kernel]).toEqual(await updated(optimizers.adafactor({ learningRate: 0.2 }), variables('kernel')));
    expect(cube).toEqual((await updated(optimizers.adafactor(options), variables('kernel', 'cube')))[1]);
  });

  test('of muon: decay is that of matrices and of the rest', async () => {
    const group = { match: /./, weightDecay: 0.3, momentum: 0.5, adamBeta1: 0.5 };
    const given = { weightDecay: 0.3, adamWeightDecay: 0.3, momentum: 0.5, adamBeta1: 0.5 };
    const grouped = await updated(optimizers.muon({ groups: [group] }), variables('kernel', 'bias'));
    expect(grouped).toEqual(await updated(optimizers.muon(given), variables('kernel', 'bias')));
    const other = { ...group, adamWeightDecay: 0.1 };
    const [kernel, bias] = await updated(optimizers.muon({ groups: [other] }), variables('kernel', 'bias'));
    expect(kernel).toEqual(grouped[0]);
    expect(bias).not.toEqual(grouped[1]);
  });
});

test('muon: excludeLayers, excludeEmbeddings and the rank choose what is AdamW’s', async () => {
  const names = ['hidden/kernel', 'output/kernel', 'Embedding_1/table'];
  const isMuon = async (options: object) => {
    const optimizer = optimizers.muon(options);
    const of = names.map((name) => variable(randomArray(6, 1), { shape: [2, 3], name }));
    await updated(optimizer, of, 1);
    return of.map((v) => !('velocity' in slotsOf(optimizer, v)));
  };
  expect(await isMuon({})).toEqual([true, true, false]);
  expect(await isMuon({ excludeEmbeddings: false, excludeLayers: ['^output/'] })).toEqual([true, false, true]);
});

test('newton–schulz of many steps is the orthogonal factor', async () => {
  // The cubic iteration 1.5·X − 0.5·X·Xᵀ·X converges: singular values become 1.
  for (const shape of [
    [3, 4],
    [4, 3],
  ]) {
    const w = variable(new Float32Array(12), { shape });
    const optimizer = optimizers.muon({
      learningRate: 1,
      weightDecay: null,
      rmsRate: null,
      nsSteps: 40,
      muonA: 1.5,
      muonB: -0.5,
      muonC: 0,
    });
    await optimizer.applyGradients([[tensor(randomArray(12, 5), shape), w]]);
    const gram = ops.matmul(w, w, shape[0]! < shape[1]! ? { transposeB: true } : { transposeA: true });
    for (const [i, value] of gram.dataSync().entries()) expect(value).toBeCloseTo(i % 4 === 0 ? 1 : 0, 5);
  }
});

describe('constraints', () => {
  test('are not applied by steps that only accumulate', async () => {
    const w = variable([3, 4], { constraint: 'unitNorm' });
    const optimizer = optimizers.sgd({ learningRate: 0, gradientAccumulationSteps: 2 });
    await optimizer.applyGradients([[tensor([1, 1]), w]]);
    expect([...w.dataSync()]).toEqual([3, 4]);
    await optimizer.applyGradients([[tensor([1, 1]), w]]);
    expect(w.dataSync()[0]).toBeCloseTo(0.6, 6);
  });

  test('may read other variables, as they are at each update', async () => {
    const limit = variable([1, 1], { name: 'limit' });
    const w = variable([3, -4], { constraint: (weights) => ops.minimum(weights, limit) });
    const optimizer = optimizers.sgd({ learningRate: 0 });
    const step = () => optimizer.applyGradients([[tensor([0, 0]), w]]);
    await step();
    expect([...w.dataSync()]).toEqual([1, -4]);
    limit.assign([-5, -6]);
    await step();
    expect([...w.dataSync()]).toEqual([-5, -6]);
  });

  test('of one’s own: what is refused, leaving the weights', async () => {
    const refuse = async (
      code: 'TRACE_ERROR' | 'SHAPE_MISMATCH' | 'UNSUPPORTED',
      message: RegExp,
      constraint: unknown,
    ) => {
      const w = variable([3, 4], { name: 'w', constraint: constraint as constraints.Constraint });
      await fails(code, message, () => optimizers.sgd().applyGradients([[tensor([1, 1]), w]]));
      expect([...w.dataSync()]).toEqual([3, 4]);
    };
    await refuse('SHAPE_MISMATCH', /constraint of "w".*\[2\].*\[\]/, (weights: never) => ops.sum(weights));
    await refuse('SHAPE_MISMATCH', /int32/, (weights: never) => ops.cast(weights, 'int32'));
    await refuse('TRACE_ERROR', /constraint of "w".*2/, () => 2);
    await refuse('TRACE_ERROR', /promise/, async (weights: unknown) => weights);
    await refuse('UNSUPPORTED', /gather/, (weights: never) => ops.gather(weights, tensor([0, 7], [2], 'int32')));
  });

  test('options', () => {
    throwsAtOnce('OUT_OF_RANGE', /maxValue/, () => constraints.maxNorm({ maxValue: -1 }));
    throwsAtOnce('OUT_OF_RANGE', /maxValue.*minValue/, () => constraints.minMaxNorm({ minValue: 2 }));
    throwsAtOnce('OUT_OF_RANGE', /rate/, () => constraints.minMaxNorm({ rate: 1.5 }));
    throwsAtOnce('INVALID_ARGUMENT', /axis/, () => constraints.unitNorm({ axis: 0.5 }));
    throwsAtOnce('INVALID_ARGUMENT', /axis/, () => constraints.unitNorm({ axis: [] }));
    throwsAtOnce('UNKNOWN_NAME', /maxNorm/, () => layers.dense({ units: 1, kernelConstraint: 'maxnorn' }));
    throwsAtOnce('INVALID_ARGUMENT', /biasConstraint/, () => layers.dense({ units: 1, biasConstraint: 3 as never }));
    expect(variable([1], { constraint: 'non_neg' }).constraint).not.toBeNull();
  });

  test('go to a file and come back, with functions of one’s own by name', async () => {
    const small = (weights: Parameters<typeof ops.clip>[0]) => ops.clip(weights, -0.1, 0.1);
    seed(2);
    const net = sequential([
      layers.dense({
        units: 4,
        inputShape: [3],
        kernelConstraint: constraints.maxNorm({ maxValue: 0.5 }),
        biasConstraint: small,
      }),
    ]);
    net.compile({ optimizer: optimizers.muon({ learningRate: 0.1 }), loss: 'meanSquaredError' });
    const [x, y] = [randomArray(30, 1), randomArray(40, 2)];
    await net.fit(x, y, { batchSize: 5, epochs: 1 });
    const path = join(folder, 'constrained.safetensors');
    await net.save(path);
    await fails('UNKNOWN_NAME', /small/, () => loadModel(path));
    const twin = await loadModel(path, { customObjects: { small } });
    for (const model of [net, twin]) await model.fit(x, y, { batchSize: 5, epochs: 1, shuffle: false });
    expect(stateOf(twin)).toEqual(stateOf(net));
  });
});

test('options of adafactor and muon', () => {
  throwsAtOnce('OUT_OF_RANGE', /beta2Decay/, () => optimizers.adafactor({ beta2Decay: 0.1 }));
  throwsAtOnce('OUT_OF_RANGE', /clipThreshold/, () => optimizers.adafactor({ clipThreshold: 0 }));
  throwsAtOnce('OUT_OF_RANGE', /nsSteps/, () => optimizers.muon({ nsSteps: 0 }));
  throwsAtOnce('INVALID_ARGUMENT', /excludeLayers/, () => optimizers.muon({ excludeLayers: ['('] }));
  throwsAtOnce('INVALID_ARGUMENT', /excludeLayers/, () => optimizers.muon({ excludeLayers: 'output' as never }));
  expect(optimizers.muon().getConfig()).toMatchObject({ weightDecay: 0.004, adamWeightDecay: 0.004, rmsRate: 0.2 });
  expect(optimizers.muon({ weightDecay: null, preset: 'torch' }).getConfig()).toMatchObject({
    weightDecay: null,
    adamWeightDecay: 0.01,
    adjustLrFn: 'original',
  });
  throwsAtOnce('INVALID_ARGUMENT', /rmsRate.*keras/i, () => optimizers.muon({ rmsRate: 0.2, preset: 'torch' }));
  throwsAtOnce('INVALID_ARGUMENT', /adjustLrFn/, () => optimizers.muon({ adjustLrFn: 'original' }));
  throwsAtOnce('INVALID_ARGUMENT', /relativeStep/, () =>
    optimizers.adafactor({ relativeStep: false, preset: 'torch' }),
  );
  expect(optimizers.adafactor({ preset: 'torch' }).getConfig()).toMatchObject({
    learningRate: 0.01,
    epsilon1: 2 ** -23,
  });
});

test('PyTorch’s epsilon1 limits the mean of the rows and the root', async () => {
  const w = variable([
    [1, 1],
    [1, 1],
  ]);
  const optimizer = optimizers.adafactor({ preset: 'torch', learningRate: 0.25, epsilon1: 0.05, clipThreshold: 10 });
  const gradient = tensor([
    [0.1, 0.1],
    [0.1, 0.1],
  ]);
  // The mean 0.01 becomes 0.05, the root √0.002 then 0.05: u = 2. Without the first 1, without the second 2.24.
  await optimizer.applyGradients([[gradient, w]]);
  for (const value of w.dataSync()) expect(value).toBeCloseTo(0.5, 5);
});
