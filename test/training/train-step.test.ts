// Training steps by functions of the user's own.
import { join } from 'node:path';
import {
  diagnostics,
  grad,
  input,
  layers,
  loadModel,
  model,
  type Model,
  ops,
  regularizers,
  seed,
  sequential,
  type StepBatch,
  setDevice,
  type SymbolicTensor,
  type Tensor,
  tensor,
} from 'downhill';
import { afterEach, describe, expect, test } from 'vitest';
import { temporaryFolder } from '../io/files.js';
import { stateOf } from '../io/models.js';
import { close, fails, randomArray, throwsAtOnce } from '../support.js';
import { testDevices } from '../support-devices.js';

afterEach(() => setDevice('cpu'));

const { dense, dropout } = layers;
const kRows = 20;
const x = tensor(randomArray(3 * kRows, 1), [kRows, 3]);
const y = randomArray(2 * kRows, 2);

const squared = ({ x, y, training }: StepBatch, net: Model) => {
  const error = ops.sub(net.apply(x, { training }), y);
  return { loss: ops.mean(ops.square(error)), off: ops.mean(ops.abs(error)) };
};

function net(options: object = { trainStep: squared, logs: ['off'] }, rate = 0) {
  seed(4);
  const made = sequential([
    dense({ units: 5, activation: 'tanh', inputShape: [3], kernelRegularizer: regularizers.l2({ l2: 0.02 }) }),
    dropout({ rate }),
    dense({ units: 2 }),
  ]);
  made.compile({ optimizer: 'adam', ...options } as never);
  return made;
}

describe.each(testDevices)('on %s', (device) => {
  test('a step that says what a loss says: penalties, logs, validation, weights', async () => {
    setDevice(device);
    const [own, known] = [net(), net({ loss: 'mse', metrics: ['mae'] })];
    const options = { epochs: 3, batchSize: 8, validationSplit: 0.25, shuffle: false };
    const { history } = await own.fit(x, y, options);
    const expected = (await known.fit(x, y, options)).history;
    expect(Object.keys(history)).toEqual(['loss', 'off', 'val_loss', 'val_off']);
    for (const [name, other] of [
      ['loss', 'loss'],
      ['off', 'mae'],
      ['val_loss', 'val_loss'],
      ['val_off', 'val_mae'],
    ] as const)
      close(history[name]!, expected[other]!);
    own.getWeights().forEach((weight, i) => {
      close(weight, known.getWeights()[i]!);
    });
    close([(await own.evaluate(x, y)).off], [(await known.evaluate(x, y)).mae]);
    close([(await own.trainOnBatch(x, y)).loss], [(await known.trainOnBatch(x, y)).loss]);
    expect((await own.predict(x)).shape).toEqual([kRows, 2]);
    if (device !== 'cpu') return;
    const [spread, other] = [await diagnostics.initialSpread(own, x, y), await diagnostics.initialSpread(known, x, y)];
    close(
      spread.layers.map(({ gradient }) => gradient.standardDeviation),
      other.layers.map(({ gradient }) => gradient.standardDeviation),
    );
    expect((await own.program('train').profile({ batchSize: 8, runs: 1 })).steps.length).toBeGreaterThan(3);
    expect((await diagnostics.overfitBatch(own, x, y, { steps: 2 })).losses).toHaveLength(2);
  });
});

test('without targets, several outputs, and whether it is training', async () => {
  seed(2);
  const start = input({ shape: [3] });
  const code = dense({ units: 2, name: 'code' }).apply(dropout({ rate: 0.5 }).apply(start));
  const auto = model({ inputs: start, outputs: { code, back: dense({ units: 3 }).apply(code) } });
  const seen: boolean[] = [];
  auto.compile({
    optimizer: 'adam',
    logs: ['size'],
    trainStep: ({ x, y, sampleWeight, training }: StepBatch) => {
      expect([y, sampleWeight]).toEqual([undefined, undefined]);
      seen.push(training);
      const { code, back } = auto.apply(x, { training });
      return { size: ops.mean(ops.abs(code)), loss: ops.mean(ops.square(ops.sub(back, x))) };
    },
  });
  const { history } = await auto.fit(x, undefined, {
    epochs: 30,
    batchSize: 10,
    validationData: [x, undefined as never],
  });
  expect(history.loss!.at(-1)).toBeLessThan(history.loss![0]!);
  expect(history.val_size).toHaveLength(30);
  expect(new Set(seen)).toEqual(new Set([true, false]));
  const first = await auto.evaluate(x, undefined);
  expect(await auto.evaluate(x, undefined)).toEqual(first);
  expect(first.loss).not.toBe((await auto.trainOnBatch(x)).loss);
});

test('targets, weights and gradients within', async () => {
  const [a, b] = [input({ shape: [3], name: 'a' }), input({ shape: [1], name: 'b' })];
  const joined = layers.concatenate().apply([a, b]);
  const net = model({
    inputs: [a, b],
    outputs: [dense({ units: 1, name: 'u' }).apply(joined), dense({ units: 2, name: 'v' }).apply(joined)],
  });
  let shapes: unknown[] = [];
  net.compile({
    optimizer: 'sgd',
    trainStep({ x: xs, y: ys, sampleWeight: ws }: StepBatch<SymbolicTensor[], SymbolicTensor[]>) {
      shapes = [xs, ys, ws].map((list) => list!.map((value) => value?.shape));
      // The slope of the first output in the first input, squared: a gradient in the loss.
      const slope = grad((at) => ops.sum(net.apply([at, xs![1]!])[0]))(xs![0]!) as SymbolicTensor;
      return ops.mean(ops.mul(ops.sum(ops.square(slope), 1), ws![1]!));
    },
  });
  const kernel = net.parameters[0]!;
  const before = [...kernel.dataSync()];
  const logs = await net.trainOnBatch(
    [x, randomArray(kRows, 3)],
    { v: y },
    { sampleWeight: { v: new Float32Array(kRows).fill(0.5) } },
  );
  expect(shapes).toEqual([
    [
      [kRows, 3],
      [kRows, 1],
    ],
    [undefined, [kRows, 2]],
    [undefined, [kRows]],
  ]);
  const size = before.slice(0, 3).reduce((sum, value) => sum + value ** 2, 0);
  expect(logs.loss).toBeCloseTo(0.5 * size, 5);
  close(
    [...kernel.dataSync()],
    before.map((value, i) => (i < 3 ? value * (1 - 0.01) : value)),
  );
});

test('weights of rows without targets reach the step', async () => {
  const seen: unknown[] = [];
  const own = net({
    trainStep: ({ x, y, sampleWeight, training }: StepBatch, made: Model) => {
      seen.push([y, sampleWeight?.shape, training]);
      return ops.mean(ops.mul(sampleWeight!, ops.mean(ops.square(made.apply(x, { training })), 1)));
    },
  });
  const sampleWeight = randomArray(kRows, 3, 0, 1);
  const expected = (await own.predict(x)) as Tensor;
  const sizes = [...ops.mean(ops.square(expected), 1).dataSync()];
  const wanted = sizes.reduce((sum, value, i) => sum + value * sampleWeight[i]!, 0) / kRows;
  const penalty = (await net({ trainStep: () => 0 }).evaluate(x, undefined)).loss!;
  close([(await own.evaluate(x, undefined, { sampleWeight })).loss], [wanted + penalty]);
  close([(await own.trainOnBatch(x, undefined, { sampleWeight })).loss], [wanted + penalty]);
  await own.fit(x, undefined, { sampleWeight, batchSize: 8 });
  await own.fit([[x, undefined, tensor(sampleWeight)]] as never);
  expect(seen).toContainEqual([undefined, [8], true]);
  expect(seen).toContainEqual([undefined, [16], false]);
});

test('saved, loaded and resumed by its name', async () => {
  const path = join(temporaryFolder(), 'step.safetensors');
  const first = net(undefined, 0.3);
  await first.fit(x, y, { batchSize: 8 });
  await first.save(path);
  await fails('UNKNOWN_NAME', /compile\.trainStep.*"squared"/, () => loadModel(path));
  const again = await loadModel(path, { customObjects: { squared } });
  const options = { batchSize: 8, epochs: 3 };
  const resumed = net(undefined, 0.3);
  const ends = [];
  for (const [made, more] of [
    [first, {}],
    [again, {}],
    [resumed, { resume: path }],
  ] as const) {
    seed(1);
    await made.fit(x, y, { ...options, ...more });
    ends.push(stateOf(made));
  }
  expect(ends[1]).toEqual(ends[0]);
  expect(Object.keys(ends[2]!)).toEqual(Object.keys(ends[0]!));
});

test('what is wrong', async () => {
  const refused = (message: RegExp, options: object) => throwsAtOnce('INVALID_ARGUMENT', message, () => net(options));
  refused(/give trainStep or loss, not both/, { trainStep: squared, loss: 'mse' });
  refused(/give trainStep or metrics, not both/, { trainStep: squared, metrics: ['mae'] });
  refused(/trainStep must be a function; received 3/, { trainStep: 3 });
  refused(/logs names what trainStep gives/, { loss: 'mse', logs: ['a'] });
  refused(/logs must be names that differ.*received loss/, { trainStep: squared, logs: ['loss'] });
  // A flat array is like the output, or one value for each row; anything else has a shape of its own.
  await fails(
    'SHAPE_MISMATCH',
    /y must have shape \[n, 2\] or \[n\], as a flat array; received 33 values for 20 rows\. Give targets of another shape as a Tensor/,
    () => net().fit(x, new Float32Array(33)),
  );
  await fails('SHAPE_MISMATCH', /x has 20 rows, but y has 15 .* Give targets of another shape as a Tensor/, () =>
    net().fit(x, new Float32Array(30)),
  );
  const step = (trainStep: unknown, logs?: string[]) => () => net({ trainStep, logs }).fit(x, y);
  await fails(
    'INVALID_ARGUMENT',
    /\{ loss \}.*it returned \{ loss, off \}\. Give compile logs: \['off'\]/s,
    step(squared),
  );
  await fails(
    'INVALID_ARGUMENT',
    /\{ loss, a \}.*it returned a scalar/s,
    step(() => ops.sum(tensor([1])), ['a']),
  );
  await fails(
    'SHAPE_MISMATCH',
    /trainStep: loss must be a float32 scalar.*take ops\.mean.*shape \[2\]/s,
    step(() => tensor([1, 2])),
  );
  await fails(
    'INVALID_ARGUMENT',
    /trainStep: loss must be a scalar made by ops; received "no"/,
    step(() => ({ loss: 'no' })),
  );
  await fails(
    'NON_FINITE',
    /loss is NaN.*All layers/s,
    step(({ x }: { x: SymbolicTensor }, made: ReturnType<typeof net>) =>
      ops.log(ops.sub(ops.mul(ops.mean(made.apply(x)), 0), 1)),
    ),
  );
});

test('lists of inputs without targets are no batches; weights by class are refused', async () => {
  const [a, b] = [input({ shape: [2] }), input({ shape: [2] })];
  const shared = dense({ units: 2 });
  const both = model({ inputs: [a, b], outputs: [shared.apply(a), shared.apply(b)] });
  both.compile({
    optimizer: 'sgd',
    trainStep: ({ x }: StepBatch, net: Model) => {
      const [left, right] = net.apply(x as never) as unknown as SymbolicTensor[];
      return { loss: ops.mean(ops.square(ops.sub(left!, right!))) };
    },
  } as never);
  const values = [randomArray(12, 3), randomArray(12, 4)].map((flat) => tensor(flat, [6, 2]));
  const { history } = await both.fit(values as never, undefined as never, { epochs: 1, batchSize: 3 });
  expect(history.loss).toHaveLength(1);

  const single = net();
  await fails('INVALID_ARGUMENT', /classWeight needs a loss; a trainStep weighs rows itself/, () =>
    single.fit(x, y, { classWeight: { 0: 2 } }),
  );
});
