import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import {
  data,
  grad,
  layers,
  loadModel,
  type Model,
  ops,
  optimizers,
  seed,
  sequential,
  setThreads,
  type SymbolicTensor,
  tensor,
} from 'downhill';
import { afterAll, afterEach, describe, expect, test } from 'vitest';
import { close, fails, random, throwsAtOnce } from '../support.js';
import { isEmulated, testDevices } from '../support-devices.js';

const folder = mkdtempSync(join(tmpdir(), 'embedding-'));
afterAll(() => rmSync(folder, { recursive: true, force: true }));
afterEach(() => setThreads(2));

const table = Array.from({ length: 5 }, (_, i) => [i, i / 2, -i, 10 - i]);

function fixed(options: Partial<layers.EmbeddingOptions> = {}): Model {
  const net = sequential([layers.embedding({ inputDim: 5, outputDim: 4, inputShape: [3], ...options })]);
  net.setWeights([table]);
  return net;
}

const [words, width, length, rows] = [200, 6, 4, 50];
const draw = random(3);
const x = Int32Array.from({ length: rows * length }, () => Math.floor(draw() * (draw() < 0.5 ? 5 : words)));
const y = Int32Array.from({ length: rows }, (_, i) => (i * 7) % 3);

function classifier(optimizer: optimizers.Optimizer, device = 'cpu'): Model {
  seed(4);
  const net = sequential(
    [
      layers.embedding({ inputDim: words, outputDim: width, inputShape: [length] }),
      layers.flatten(),
      layers.dense({ units: 3, activation: 'softmax' }),
    ],
    { device },
  );
  net.compile({ optimizer, loss: 'sparseCategoricalCrossentropy' });
  return net;
}

test('vectors by index, for inputs of any rank', () => {
  const net = fixed();
  expect(net.outputShape).toEqual([3, 4]);
  close(net.apply(tensor([[0, 4, 4]], undefined, 'int32')), [[table[0], table[4], table[4]]]);
  const layer = layers.embedding({ inputDim: 5, outputDim: 4, embeddingsInitializer: 'ones' });
  expect(layer.apply(tensor([1, 2], [2], 'int32')).shape).toEqual([2, 4]);
  expect(layer.apply(tensor([1, 2, 3, 4], [2, 1, 2], 'int32')).shape).toEqual([2, 1, 2, 4]);
  close(layer.apply(tensor([[2]], [1, 1], 'int32')), [[[1, 1, 1, 1]]]);
});

test('as the first layer it makes the input int32; behind another input indices are truncated', async () => {
  expect(fixed().inputDtype).toBe('int32');
  close(await fixed().predict([[3, 0, 1]]), [[table[3], table[0], table[1]]]);
  close(await fixed().predict(Uint8Array.of(3, 0, 1)), [[table[3], table[0], table[1]]]);
  const behind = sequential([layers.input({ shape: [2] }), layers.embedding({ inputDim: 5, outputDim: 4 })]);
  behind.setWeights([table]);
  expect(behind.inputDtype).toBe('float32');
  close(await behind.predict([[1.75, 4]]), [[table[1], table[4]]]);
  const open = sequential([layers.embedding({ inputDim: 5, outputDim: 2 }), layers.flatten()]);
  expect((await open.predict(tensor([[1, 2, 3]], [1, 3], 'int32'))).shape).toEqual([1, 6]);
  expect(open.inputDtype).toBe('int32');
});

test('its first vectors are uniform in ±0.05', () => {
  seed(1);
  const [values] = sequential([layers.embedding({ inputDim: 300, outputDim: 20, inputShape: [1] })]).getWeights();
  const sorted = [...values.dataSync()].sort((a, b) => a - b);
  expect(sorted[0]).toBeGreaterThanOrEqual(-0.05);
  expect(sorted[0]).toBeLessThan(-0.049);
  expect(sorted.at(-1)).toBeGreaterThan(0.049);
  expect(sorted.at(-1)).toBeLessThanOrEqual(0.05);
});

test('the gradient adds up where an index is there more than once', async () => {
  const weights = (w: SymbolicTensor) =>
    ops.sum(
      ops.mul(
        ops.gather(w, [
          [1, 3],
          [3, 3],
        ]),
        [
          [
            [1, 2],
            [3, 4],
          ],
          [
            [5, 6],
            [7, 8],
          ],
        ],
      ),
    );
  close(
    await grad(weights)([
      [0, 0],
      [0, 0],
      [0, 0],
      [0, 0],
    ]),
    [
      [0, 0],
      [1, 2],
      [0, 0],
      [15, 18],
    ],
  );
});

describe.each(testDevices)('on %s', (device) => {
  const short = { batchSize: 16, epochs: isEmulated(device) ? 1 : 3, verbose: 0, shuffle: false } as const;

  test('trains as one-hot rows and a kernel do', async () => {
    for (const make of [
      () => optimizers.sgd({ learningRate: 0.5 }),
      () => optimizers.adagrad({ learningRate: 0.1 }),
      () => optimizers.adam(),
    ]) {
      const net = classifier(make(), device);
      const start = net.getWeights();
      await net.fit(x, y, short);
      // Row by row: one-hot rows of a word each, times the table.
      const dense = sequential(
        [
          layers.input({ shape: [length, words] }),
          layers.dense({ units: width, useBias: false }),
          layers.flatten(),
          layers.dense({ units: 3, activation: 'softmax' }),
        ],
        { device },
      );
      dense.setWeights(start);
      dense.compile({ optimizer: make(), loss: 'sparseCategoricalCrossentropy' });
      const hot = new Float32Array(rows * length * words);
      x.forEach((word, i) => {
        hot[i * words + word] = 1;
      });
      await dense.fit(tensor(hot, [rows, length, words]), y, short);
      close(net.getWeights(), dense.getWeights(), 2e-5);
    }
  });

  test('an index that the table does not have is an error that names it, wherever it comes from', async () => {
    const far = x.slice();
    far[length * 20 + 1] = words;
    const net = classifier(optimizers.sgd(), device);
    const before = net.getWeights().map((weight) => [...weight.dataSync()]);
    const message = new RegExp(`gather \\(embedding\\): index ${words} at position .* expected 0 to ${words - 1}`);
    await fails('OUT_OF_RANGE', message, () => net.predict(far, { batchSize: 64 }));
    await fails('OUT_OF_RANGE', message, () => net.evaluate(far, y));
    await fails('OUT_OF_RANGE', message, () => net.fit(far, y, { ...short, batchSize: 64 }));
    expect(net.getWeights().map((weight) => [...weight.dataSync()])).toEqual(before);
    far[length * 20 + 1] = -1;
    await fails('OUT_OF_RANGE', /index -1 at position 81/, () => net.trainOnBatch(far, y));
    await net.fit(x, y, short); // it goes on
  });
});

test('the numbers do not depend on the number of threads', async () => {
  const run = async (threads: number) => {
    setThreads(threads);
    const net = classifier(optimizers.adagrad({ learningRate: 0.1 }));
    await net.fit(x, y, { batchSize: 7, epochs: 3, verbose: 0 });
    return net.getWeights().map((weight) => [...weight.dataSync()]);
  };
  const expected = await run(1);
  for (const threads of [2, 3]) expect(await run(threads)).toEqual(expected);
});

test('a fit that is resumed from a file ends with the same bits', async () => {
  const path = join(folder, 'half.safetensors');
  const options = { batchSize: 8, verbose: 0 } as const;
  const make = () => classifier(optimizers.adagrad({ learningRate: 0.1 }));
  const whole = make();
  seed(8);
  await whole.fit(x, y, { ...options, epochs: 4 });
  const half = make();
  seed(8);
  await half.fit(x, y, { ...options, epochs: 2 });
  await half.save(path);
  const again = await loadModel(path);
  await again.fit(x, y, { ...options, epochs: 4, resume: path });
  expect(again.getWeights().map((weight) => [...weight.dataSync()])).toEqual(
    whole.getWeights().map((weight) => [...weight.dataSync()]),
  );
});

test('config, summary and files', async () => {
  const net = classifier(optimizers.sgd());
  expect(net.layers[0].getConfig()).toMatchObject({
    inputDim: words,
    outputDim: width,
    embeddingsRegularizer: null,
    embeddingsConstraint: null,
  });
  const lines: string[] = [];
  net.summary((text) => lines.push(text));
  expect(lines.join('\n')).toMatch(/embedding.*Embedding.*4, 6.*1,?200/s);
  const path = join(folder, 'net.safetensors');
  await net.save(path);
  const again = await loadModel(path);
  expect(again.inputDtype).toBe('int32');
  close(await again.predict(x), await net.predict(x), 0);
});

test('options and sparse rows', async () => {
  throwsAtOnce('INVALID_ARGUMENT', /needs the option "inputDim"/, () => layers.embedding({ outputDim: 1 } as never));
  throwsAtOnce('OUT_OF_RANGE', /outputDim must be an integer at least 1; received 0/, () =>
    layers.embedding({ inputDim: 1, outputDim: 0 }),
  );
  throwsAtOnce('UNKNOWN_OPTION', /"maskZeros"/, () =>
    layers.embedding({ inputDim: 1, outputDim: 1, maskZeros: true } as never),
  );
  const sparse = new data.SparseRows({
    shape: [1, 3],
    indptr: Int32Array.of(0, 1),
    indices: Int32Array.of(2),
    values: Float32Array.of(1),
  });
  await fails('SHAPE_MISMATCH', /dtype int32/, () => fixed().predict(sparse));
});
