import { mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import {
  DownhillError,
  layers,
  loadModel,
  modelFromJSON,
  ops,
  optimizers,
  regularizers,
  type Sequential,
  type SymbolicTensor,
  seed,
  sequential,
} from 'downhill';
import fc from 'fast-check';
import { afterAll, describe, expect, test } from 'vitest';
import { checksumName, readHead, writeFile } from '../../lib/io/safetensors.js';
import { binding } from '../../lib/binding/index.js';

const folder = mkdtempSync(join(tmpdir(), 'saving-'));
afterAll(() => rmSync(folder, { recursive: true, force: true }));
let files = 0;
const file = () => join(folder, `model-${files++}.safetensors`);

const x = Float32Array.from({ length: 40 * 6 }, (_, i) => Math.sin(i * 1.3));
const y = Int32Array.from({ length: 40 }, (_, i) => (i * 7) % 3);

interface Recipe {
  optimizer: 'sgd' | 'momentum' | 'nesterov' | 'adam' | 'torch';
  hidden: number[];
  dropout: number;
  decay: number;
}

function optimizerOf(kind: Recipe['optimizer']) {
  if (kind === 'adam') return optimizers.adam({ learningRate: 0.02, beta1: 0.8, weightDecay: 0.01 });
  if (kind === 'torch') return optimizers.sgd({ preset: 'torch', learningRate: 0.05, momentum: 0.7, dampening: 0.2 });
  const momentum = kind === 'sgd' ? 0 : 0.8;
  return optimizers.sgd({ learningRate: 0.05, momentum, nesterov: kind === 'nesterov', clipNorm: 0.9 });
}

function build({ optimizer, hidden, dropout, decay }: Recipe): Sequential {
  const net = sequential([layers.input({ shape: [6] })]);
  for (const units of hidden)
    net.add(
      layers.dense({
        units,
        activation: 'tanh',
        kernelRegularizer: decay ? regularizers.l2({ l2: decay }) : undefined,
      }),
    );
  net.add(layers.dropout({ rate: dropout, seed: 5 }));
  net.add(layers.dense({ units: 3, activation: 'softmax' }));
  net.compile({ optimizer: optimizerOf(optimizer), loss: 'sparseCategoricalCrossentropy', metrics: ['accuracy'] });
  return net;
}

const plain: Recipe = { optimizer: 'adam', hidden: [4], dropout: 0.2, decay: 0.01 };
const train = (net: Sequential, epochs: number) =>
  net.fit(x, y, { batchSize: 16, epochs, shuffle: false, verbose: 0 }).then(({ history }) => history);
const bits = (net: Sequential) => net.getWeights().map((weight) => Array.from(weight.dataSync()));

async function failure(work: Promise<unknown>): Promise<DownhillError> {
  const error = await work.then(
    () => null,
    (reason: unknown) => reason,
  );
  expect(error).toBeInstanceOf(DownhillError);
  return error as DownhillError;
}

describe('save and loadModel', () => {
  test('a loaded model predicts the same and goes on training to the same bits', async () => {
    const recipe = fc.record({
      optimizer: fc.constantFrom('sgd', 'momentum', 'nesterov', 'adam', 'torch') as fc.Arbitrary<Recipe['optimizer']>,
      hidden: fc.array(fc.integer({ min: 1, max: 9 }), { maxLength: 2 }),
      dropout: fc.constantFrom(0, 0.3),
      decay: fc.constantFrom(0, 0.02),
    });
    await fc.assert(
      fc.asyncProperty(
        recipe,
        fc.integer({ min: 0, max: 3 }),
        fc.integer({ min: 0, max: 1e6 }),
        async (given, epochs, n) => {
          seed(n);
          const net = build(given);
          if (epochs > 0) await train(net, epochs);
          const path = file();
          await net.save(path);
          const twin = (await loadModel(path)) as Sequential;
          expect(JSON.stringify(twin)).toBe(JSON.stringify(net));
          expect(bits(twin)).toEqual(bits(net));
          expect((await twin.predict(x)).dataSync()).toEqual((await net.predict(x)).dataSync());
          expect(await train(twin, 2)).toEqual(await train(net, 2));
          expect(bits(twin)).toEqual(bits(net));
        },
      ),
      { numRuns: 25 },
    );
  });

  test('a model that is not compiled, and one that is not built', async () => {
    const net = sequential([layers.dense({ units: 2, inputShape: [3] })]);
    const path = file();
    await net.save(path);
    const twin = (await loadModel(path)) as Sequential;
    expect(bits(twin)).toEqual(bits(net));
    expect((await failure(train(twin, 1))).code).toBe('NOT_COMPILED');
    expect((await failure(sequential([layers.dense({ units: 2 })]).save(path))).code).toBe('NOT_BUILT');
    expect(bits((await loadModel(path)) as Sequential)).toEqual(bits(net));
  });

  test('your own functions come back through customObjects', async () => {
    const shifted = (t: SymbolicTensor, p: SymbolicTensor) => ops.mean(ops.square(ops.sub(p, t)));
    const net = sequential([layers.dense({ units: 1, inputShape: [2] })]);
    net.compile({ optimizer: 'sgd', loss: shifted });
    const path = file();
    await net.save(path);
    const error = await failure(loadModel(path));
    expect(error.code).toBe('UNKNOWN_NAME');
    expect(error.message).toContain(path);
    expect(error.message).toContain('shifted');
    const twin = await loadModel(path, { customObjects: { shifted } });
    expect(await twin.evaluate([[1, 2]], [[3]])).toEqual(await net.evaluate([[1, 2]], [[3]]));
  });

  test('the tensors have names that others understand', async () => {
    const net = build(plain);
    await train(net, 1);
    const path = file();
    await net.save(path);
    const head = await readHead(path);
    expect([...head.tensors.keys()]).toEqual([
      ...['dense/kernel', 'dense/bias', 'dense_1/kernel', 'dense_1/bias'],
      ...['momentum', 'velocity'].flatMap((slot) =>
        ['dense/kernel', 'dense/bias', 'dense_1/kernel', 'dense_1/bias'].map((name) => `optimizer/${slot}/${name}`),
      ),
    ]);
    expect(head.hasChecksum).toBe(true);
    expect(readFileSync(path).includes(checksumName)).toBe(true);
    expect(JSON.parse(head.metadata.get('state')!)).toMatchObject({ iterations: 3 });
  });

  test('during a fit it is the state after a whole step, and training goes on', async () => {
    const fresh = () => {
      seed(2);
      return build({ ...plain, dropout: 0, decay: 0 });
    };
    const net = fresh();
    const path = file();
    // Epochs of 2500 steps, so that saves fall into the middle of a stretch.
    const perEpoch = 2500;
    const rows = Float32Array.from({ length: perEpoch * 16 * 6 }, (_, i) => Math.sin(i * 1.3));
    const labels = Int32Array.from({ length: perEpoch * 16 }, (_, i) => (i * 7) % 3);
    const go = (model: Sequential, steps: number, epochs: number) =>
      model.fit(rows.subarray(0, steps * 96), labels.subarray(0, steps * 16), {
        batchSize: 16,
        epochs,
        shuffle: false,
        verbose: 0,
      });
    const fit = go(net, perEpoch, 100_000);
    for (let i = 0; i < 4; i++) {
      await new Promise((resolve) => setTimeout(resolve, 7));
      await net.save(path);
      const twin = (await loadModel(path)) as Sequential;
      const { iterations } = twin.compiled!.optimizer;
      expect(iterations).toBeGreaterThan(0);
      // As many steps from the start give the saved weights.
      const replay = fresh();
      if (iterations >= perEpoch) await go(replay, perEpoch, Math.floor(iterations / perEpoch));
      if (iterations % perEpoch > 0) await go(replay, iterations % perEpoch, 1);
      expect(bits(twin)).toEqual(bits(replay));
      // And the optimizer's state: both go on to the same weights.
      await go(twin, 5, 1);
      await go(replay, 5, 1);
      expect(bits(twin)).toEqual(bits(replay));
    }
    const before = net.compiled!.optimizer.iterations;
    await new Promise((resolve) => setTimeout(resolve, 60));
    expect(net.compiled!.optimizer.iterations).toBeGreaterThan(before);
    net.stopTraining = true;
    await fit;
  });

  test('a failing write leaves the old file, and no other', async () => {
    const net = build(plain);
    const path = file();
    await net.save(path);
    const old = readFileSync(path);
    const error = await failure(net.save(join(path, 'below')));
    expect(error.code).toBe('FILE_ERROR');
    expect(error.message).toContain(path);
    expect((await failure(net.save(folder))).code).toBe('FILE_ERROR');
    expect(readFileSync(path).equals(old)).toBe(true);
    expect(readdirSync(folder).filter((name) => name.endsWith('.tmp'))).toEqual([]);
  });

  test('damage at any byte is an error that names the file, and no model comes of it', async () => {
    const net = build(plain);
    await train(net, 1);
    const path = file();
    await net.save(path);
    const good = readFileSync(path);
    const { bytes: before } = binding.memory();
    const damaged = file();
    for (let at = 0; at < good.length; at += 1 + Math.floor(good.length / 300)) {
      const bad = Buffer.from(good);
      bad[at] ^= 1 << (at % 8);
      writeFileSync(damaged, bad);
      const error = await failure(loadModel(damaged));
      expect(error.message, `byte ${at}`).toContain(damaged);
      expect(['CORRUPT_FILE', 'FOREIGN_FILE', 'UNSUPPORTED', 'UNKNOWN_NAME']).toContain(error.code);
    }
    for (const length of [0, 7, 8, 100, good.length - 9, good.length - 1]) {
      writeFileSync(damaged, good.subarray(0, length));
      expect((await failure(loadModel(damaged))).message).toContain(damaged);
    }
    expect(binding.memory().bytes).toBeLessThan(before + 300_000);
  });

  test('a file whose parts do not fit together, or of a newer format', async () => {
    const net = build(plain);
    await train(net, 1);
    const path = file();
    await net.save(path);
    const { metadata } = await readHead(path);
    const storage = (values: number) => binding.storageFrom(new Float32Array(values), 'float32');
    const tensors = (skip: string, extra: string[] = []) =>
      net.weights
        .map((weight) => ({ name: weight.path, shape: weight.shape }))
        .filter(({ name }) => name !== skip)
        .concat(extra.map((name) => ({ name, shape: [1] })))
        .map(({ name, shape }) => ({
          name,
          shape,
          dtype: 'F32' as const,
          storage: storage(shape.reduce((a, b) => a * b, 1)),
        }));
    const written = async (skip: string, extra: string[], changes: Record<string, string>) => {
      const bad = file();
      await writeFile(bad, tensors(skip, extra), { ...Object.fromEntries(metadata), ...changes });
      return failure(loadModel(bad));
    };
    expect((await written('dense/bias', [], {})).message).toContain('"dense/bias" is missing');
    expect((await written('', ['other'], {})).message).toContain('"other"');
    const newer = await written('', [], { format_version: '2', library_version: '9.1.0' });
    expect(newer.code).toBe('UNSUPPORTED');
    expect(newer.message).toContain('9.1.0');
    expect((await written('', [], { format: 'pt' })).code).toBe('FOREIGN_FILE');
    expect((await written('', [], { model: '{"className":"Sequential"' })).code).toBe('CORRUPT_FILE');
    expect((await written('', [], { model: metadata.get('model')!.replace('"units":4', '"units":5') })).code).toBe(
      'CORRUPT_FILE',
    );
    expect((await written('', [], { state: '{"iterations":-1}' })).code).toBe('CORRUPT_FILE');
  });

  test('modelFromJSON and a file of weights make the model again', async () => {
    const net = build(plain);
    const path = file();
    await net.saveWeights(path);
    expect((await failure(loadModel(path))).message).toContain('loadWeights');
    const twin = modelFromJSON(JSON.stringify(net)) as Sequential;
    expect(await twin.loadWeights(path)).toEqual({ missing: [], unexpected: [], mismatched: [] });
    expect(bits(twin)).toEqual(bits(net));
  });
});

describe('loadWeights', () => {
  const torch = async (names: [string, number[], number[]][]) => {
    const path = file();
    await writeFile(
      path,
      names.map(([name, shape, values]) => ({
        name,
        shape,
        dtype: 'F32' as const,
        storage: binding.storageFrom(Float32Array.from(values), 'float32'),
      })),
      { format: 'pt' },
    );
    return path;
  };

  test("PyTorch's names and layout through map", async () => {
    const net = sequential([layers.dense({ units: 2, inputShape: [3] })]);
    const path = await torch([
      ['fc.weight', [2, 3], [1, 2, 3, 4, 5, 6]],
      ['fc.bias', [2], [7, 8]],
      ['step', [1], [0]],
    ]);
    const map = (name: string, shape: readonly number[]) =>
      name === 'step' ? null : shape.length === 2 ? { name: 'dense/kernel', transpose: true } : 'dense/bias';
    expect(await net.loadWeights(path, { map })).toEqual({ missing: [], unexpected: [], mismatched: [] });
    expect(bits(net)).toEqual([
      [1, 4, 2, 5, 3, 6],
      [7, 8],
    ]);
  });

  test('what does not match is listed, and nothing is loaded unless asked', async () => {
    const net = sequential([layers.dense({ units: 2, inputShape: [3] })]);
    const before = bits(net);
    const path = await torch([
      ['dense/bias', [2], [7, 8]],
      ['dense/kernel', [2, 3], [1, 2, 3, 4, 5, 6]],
      ['other', [1], [0]],
    ]);
    const error = await failure(net.loadWeights(path));
    expect(error.code).toBe('SHAPE_MISMATCH');
    for (const part of ['other', 'dense/kernel', '[2, 3]', '[3, 2]']) expect(error.message).toContain(part);
    expect(bits(net)).toEqual(before);
    expect(await net.loadWeights(path, { strict: false })).toMatchObject({ unexpected: ['other'], missing: [] });
    expect(bits(net)).toEqual([before[0], [7, 8]]);
    expect((await failure(net.loadWeights(path, { map: () => 'dense/bias' }))).message).toContain('both');
    expect((await failure(net.loadWeights(path, { map: () => 3 as never }))).code).toBe('INVALID_ARGUMENT');
  });

  test('a damaged file leaves the model as it was', async () => {
    const net = build(plain);
    const path = file();
    await net.saveWeights(path);
    const bad = readFileSync(path);
    bad[bad.length - 40]! ^= 4;
    writeFileSync(path, bad);
    const twin = build(plain);
    const before = bits(twin);
    expect((await failure(twin.loadWeights(path))).code).toBe('CORRUPT_FILE');
    expect(bits(twin)).toEqual(before);
  });
});
