import { join } from 'node:path';
import {
  compile,
  grad,
  input,
  layers,
  loadModel,
  model,
  ops,
  type SymbolicTensor,
  type Tensor,
  tensor,
} from 'downhill';
import { describe, expect, it } from 'vitest';
import { failure } from '../errors.js';
import { temporaryFolder } from '../io/files.js';
import { randomArray } from '../support.js';

const random = (shape: number[], seed: number) =>
  tensor(
    randomArray(
      shape.reduce<number>((a, b) => a * b, 1),
      seed,
    ),
    shape,
  );

describe('multiHeadAttention', () => {
  it('of three inputs that are one gives what it gives of that one', async () => {
    const layer = layers.multiHeadAttention({ numHeads: 2, keyDim: 3 });
    const x = random([2, 5, 4], 1);
    const alone = await (layer.apply(x) as Tensor).data();
    const again = tensor(await x.data(), x.shape);
    const apart = await (layer.apply([x, again, again]) as Tensor).data();
    apart.forEach((value, i) => {
      expect(value).toBeCloseTo(alone[i]!, 5);
    });
  });

  it('drops probabilities in training alone, the same for one seed', async () => {
    const make = () =>
      layers.multiHeadAttention({ numHeads: 2, keyDim: 3, dropout: 0.5, seed: 4, kernelInitializer: 'ones' });
    const x = random([2, 5, 4], 1);
    const run = async (training: boolean) => [...(await (make().apply(x, { training }) as Tensor).data())];
    expect(await run(true)).toEqual(await run(true));
    expect(await run(true)).not.toEqual(await run(false));
  });

  it('in a graph of layers is saved with its several inputs', async () => {
    const query = input({ shape: [3, 4], name: 'query' });
    const value = input({ shape: [5, 2], name: 'value' });
    const mask = input({ shape: [3, 5], name: 'mask' });
    const layer = layers.multiHeadAttention({ numHeads: 2, keyDim: 3, valueDim: 2 });
    const net = model({ inputs: [query, value, mask], outputs: layer.apply([query, value, value, mask]) });
    const xs = [random([2, 3, 4], 1), random([2, 5, 2], 2), ops.cast(ops.greater(random([2, 3, 5], 3), 0), 'float32')];
    const path = join(temporaryFolder(), 'attention.safetensors');
    await net.save(path);
    const loaded = await loadModel(path);
    const before = (await net.predict(xs as Tensor[])) as Tensor;
    const after = (await loaded.predict(xs as Tensor[])) as Tensor;
    expect(await after.data()).toEqual(await before.data());
  });

  it('says what does not fit', () => {
    const layer = layers.multiHeadAttention({ numHeads: 2, keyDim: 3 });
    layer.apply(random([2, 5, 4], 1));
    const x = random([2, 5, 4], 1);
    const cases: [() => unknown, string, RegExp][] = [
      [() => layer.apply(random([2, 5, 3], 1)), 'SHAPE_MISMATCH', /4, 4, 4 features, as when it was built/],
      [() => layer.apply(random([2, 5], 1)), 'SHAPE_MISMATCH', /sequences \[n, steps, features\]/],
      [() => layer.apply([x, x, random([2, 6, 4], 1)]), 'SHAPE_MISMATCH', /as many keys as values/],
      [() => layer.apply([x, x, x, random([2, 5, 6], 1)]), 'SHAPE_MISMATCH', /broadcasts to \[n, 2, 5, 5\]/],
      [() => layer.apply([x, x, x, x, x]), 'INVALID_ARGUMENT', /received 5/],
      [() => layers.multiHeadAttention({ numHeads: 2, keyDim: 3, dropout: 1 }), 'OUT_OF_RANGE', /dropout/],
    ];
    for (const [body, code, message] of cases)
      expect(failure(body)).toMatchObject({ code, message: expect.stringMatching(message) });
  });
});

it('no step holds the scores, neither forward nor backward', () => {
  const x = random([1, 700, 1, 2], 1);
  const gradient = compile((q: SymbolicTensor) => grad((a) => ops.sum(ops.attention(a, a, a)))(q) as never);
  const text = gradient.program(x).describe();
  expect(text).toContain('attentionGrad');
  expect(text).not.toContain('700, 700');
});

it.each([
  ['attention', (seed: number) => layers.attention({ dropout: 0.5, seed })],
  ['attention with sums', (seed: number) => layers.attention({ dropout: 0.5, scoreMode: 'concat', seed })],
  ['additiveAttention', (seed: number) => layers.additiveAttention({ dropout: 0.5, useScale: false, seed })],
])('%s drops probabilities in training alone, the same for one seed', async (_, make) => {
  const x = random([2, 5, 4], 1);
  const run = async (training: boolean, seed = 4) => [...(await (make(seed).apply(x, { training }) as Tensor).data())];
  expect(await run(true)).toEqual(await run(true));
  expect(await run(true)).not.toEqual(await run(false));
  expect(await run(true)).not.toEqual(await run(true, 5));
});

describe('masks of inputs', () => {
  const ids = tensor([3, 0, 1, 2, 0, 0, 2, 1], [2, 4], 'int32');
  const counts = ops.notEqual(ids, 0) as Tensor;
  const words = layers.embedding({ inputDim: 4, outputDim: 6, maskZero: true });
  const kinds = {
    multiHeadAttention: () => layers.multiHeadAttention({ numHeads: 2, keyDim: 3 }),
    attention: () => layers.attention(),
    'attention with sums': () => layers.attention({ scoreMode: 'concat' }),
    additiveAttention: () => layers.additiveAttention(),
  };
  it.each(Object.entries(kinds))('%s hides masked keys, and passes on the mask of the query', async (_, make) => {
    const layer = make();
    const x = words.apply(ids) as Tensor;
    const y = layer.apply(x) as Tensor;
    const bare = tensor(await x.data(), x.shape);
    const given = layer.apply([bare, bare, bare, ops.reshape(counts, [2, 1, 4])]) as Tensor;
    const [a, b, seen] = await Promise.all([y.data(), given.data(), counts.data()]);
    for (let i = 0; i < a.length; ++i) if (seen[Math.floor(i / 6)]) expect(a[i]).toBeCloseTo(b[i]!, 5);
    const apart = await (layer.apply([bare, x]) as Tensor).data();
    for (let i = 0; i < a.length; ++i) expect(apart[i]).toBeCloseTo(b[i]!, 5);
    const pooled = layers.globalAveragePooling1d().apply(y) as Tensor;
    const sums = ops.sum(ops.mul(y, ops.reshape(counts, [2, 4, 1])), 1);
    const mean = await (ops.div(sums, ops.sum(counts, 1, { keepDims: true })) as Tensor).data();
    (await pooled.data()).forEach((value, i) => {
      expect(value).toBeCloseTo(mean[i]!, 5);
    });
  });
});
