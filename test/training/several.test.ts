// Training with several inputs and outputs: the forms of data, what is wrong with them, and that everything around a fit takes them.
import {
  callbacks,
  data,
  diagnostics,
  input,
  layers,
  losses,
  metrics,
  type Model,
  model,
  ops,
  optimizers,
  seed,
  sequential,
  tensor,
  type Tensor,
} from 'downhill';
import { describe, expect, test } from 'vitest';
import { fails, randomArray, throwsAtOnce } from '../support.js';

const { dense, concatenate } = layers;
const kRows = 24;
const left = tensor(randomArray(kRows * 3, 1), [kRows, 3]);
const right = randomArray(kRows * 2, 2);
const size = randomArray(kRows, 3);
const kind = Int32Array.from({ length: kRows }, (_, i) => i % 3);
const x = { left, right };
const y = { size, kind };

function net(form: 'list' | 'record' = 'list', options: object = {}) {
  seed(5);
  const [a, b] = [input({ shape: [3], name: 'left' }), input({ shape: [2], name: 'right' })];
  const h = dense({ units: 6, activation: 'tanh' }).apply(concatenate().apply([a, b]));
  const [s, k] = [
    dense({ units: 1, name: 'size' }).apply(h),
    dense({ units: 3, activation: 'softmax', name: 'kind' }).apply(h),
  ];
  const made = model({
    inputs: form === 'list' ? [a, b] : { left: a, right: b },
    outputs: form === 'list' ? [s, k] : { size: s, kind: k },
  });
  made.compile({
    optimizer: optimizers.sgd({ learningRate: 0.1, momentum: 0.5 }),
    loss: { size: 'mse', kind: 'sparseCategoricalCrossentropy' },
    lossWeights: { kind: 0.5 },
    metrics: { kind: ['accuracy'] },
    ...options,
  });
  return made;
}

const onlyAccuracy = { metrics: { kind: 'accuracy' } };
const weightsOf = (made: Model) => made.getWeights().map((weight) => [...weight.dataSync()]);

describe('forms', () => {
  test('lists and objects, streams and validation come to the same', async () => {
    const objects: [x: unknown, y: unknown][] = [
      [x, y],
      [
        { right, left },
        { kind, size },
      ],
    ];
    const lists: [x: unknown, y: unknown][] = [
      [
        [left, right],
        [size, kind],
      ],
      [[left, right], y],
    ];
    const seen = [];
    for (const form of ['list', 'record'] as const)
      for (const [data, targets] of form === 'list' ? [...objects, ...lists] : objects) {
        const made = net(form, onlyAccuracy);
        const options = { batchSize: 8, epochs: 2, shuffle: false, validationData: [data, targets] } as never;
        const { history } = await made.fit(data as never, targets as never, options);
        const evaluated = await made.evaluate(data as never, targets as never);
        const step = await made.trainOnBatch(data as never, targets as never);
        seen.push(JSON.stringify([Object.entries(history).sort(), Object.entries(evaluated).sort(), step.loss]));
      }
    // The order of the outputs decides in which order losses are added, and weights drawn: forms with one order agree in all bits.
    expect(new Set(seen.slice(0, 4)).size).toBe(1);
    expect(new Set(seen.slice(4)).size).toBe(1);

    const batches = [0, 8, 16].map((begin) => {
      const rows = <T extends Float32Array | Int32Array>(values: T, width: number) =>
        values.subarray(width * begin, width * (begin + 8)) as T;
      const own = { left: rows(left.dataSync() as Float32Array, 3), right: rows(right, 2) };
      return [own, { size: rows(size, 1), kind: rows(kind, 1) }];
    });
    const streamed = net('list', onlyAccuracy);
    const { history } = await streamed.fit(batches, { epochs: 2, validationData: new Set(batches) });
    expect(JSON.stringify(Object.entries(history).sort())).toBe(JSON.stringify(JSON.parse(seen[0]!)[0]));
    expect(Object.keys(history)).toEqual([
      'loss',
      'size_loss',
      'kind_loss',
      'kind_accuracy',
      'val_loss',
      'val_size_loss',
      'val_kind_loss',
      'val_kind_accuracy',
    ]);
  });

  test('the loss is the weighted sum of those of the outputs, and of penalties once', async () => {
    const made = net('list', onlyAccuracy);
    const { loss, size_loss, kind_loss } = await made.evaluate(x, y);
    expect(loss).toBeCloseTo(size_loss + 0.5 * kind_loss, 6);
    const [s, k] = await made.predict<Tensor[]>(x);
    expect(size_loss).toBeCloseTo((losses.meanSquaredError()(tensor(size, [kRows, 1]), s) as Tensor).dataSync()[0], 5);
    expect(kind_loss).toBeCloseTo((losses.sparseCategoricalCrossentropy()(kind, k) as Tensor).dataSync()[0], 5);
    const one = sequential([dense({ units: 1, inputShape: [3] })]);
    one.compile({ optimizer: 'sgd', loss: 'mse' });
    const plain = await one.evaluate(left, size);
    one.compile({ optimizer: 'sgd', loss: ['mse'], lossWeights: 3, metrics: { dense: 'mae' } });
    const scaled = await one.evaluate([left], { dense: size });
    expect(Object.keys(scaled)).toEqual(['loss', 'mae']);
    expect(scaled.loss).toBeCloseTo(3 * plain.loss, 5);
  });

  test('weights of rows, by output or for all', async () => {
    const made = net('list', onlyAccuracy);
    const half = new Float32Array(kRows).fill(0.5);
    const plain = await made.evaluate(x, y);
    const both = await made.evaluate(x, y, { sampleWeight: half });
    expect(both.loss).toBeCloseTo(plain.loss / 2, 6);
    for (const sampleWeight of [{ kind: half }, [null, half]]) {
      const one = await made.evaluate(x, y, { sampleWeight });
      expect(one.kind_loss).toBeCloseTo(plain.kind_loss / 2, 6);
      expect(one.size_loss).toBe(plain.size_loss);
    }
    await made.fit(x, y, { sampleWeight: { size: half }, validationSplit: 0.25 });
    await fails('INVALID_ARGUMENT', /classWeight needs a model with one output/, () =>
      made.fit(x, y, { classWeight: { 0: 1 } }),
    );
    await fails('SHAPE_MISMATCH', /sampleWeight\.kind must have shape \[24\].*received 5 values/, () =>
      made.evaluate(x, y, { sampleWeight: { kind: new Float32Array(5) } }),
    );
    const alone = net('list', { loss: { size: 'mse' }, lossWeights: undefined, ...onlyAccuracy });
    await fails('INVALID_ARGUMENT', /^sampleWeight\.kind weighs nothing: .* neither a loss nor weightedMetrics/, () =>
      alone.evaluate(x, y, { sampleWeight: { kind: half } }),
    );
    await fails('UNKNOWN_NAME', /sampleWeight: the model has no output "kid". Did you mean "kind"/, () =>
      made.evaluate(x, y, { sampleWeight: { kid: half } }),
    );
  });

  test('an output without a loss needs no targets', async () => {
    const made = net('list', { loss: { size: 'mse' }, metrics: undefined, lossWeights: undefined });
    const seen = [];
    for (const targets of [[size, null], [size, kind], { size }, size])
      seen.push(JSON.stringify(await made.evaluate(x, targets as never)));
    expect(new Set(seen).size).toBe(1);
    expect(Object.keys(JSON.parse(seen[0]!))).toEqual(['loss']);
    const measured = net('list', { loss: ['mse', null], metrics: [null, ['accuracy']], lossWeights: undefined });
    expect(Object.keys(await measured.evaluate(x, y))).toEqual(['loss', 'kind_accuracy']);
    await fails('INVALID_ARGUMENT', /y lacks output "kind"/, () => measured.evaluate(x, { size }));
  });

  test('an int32 input beside others; the network’s inputs as they are', async () => {
    const [a, b] = [input({ shape: [2], dtype: 'int32', name: 'a' }), input({ shape: [2], name: 'b' })];
    const net = model({
      inputs: [a, b],
      outputs: [a, layers.multiply().apply([layers.lambda((x: Tensor) => ops.cast(x, 'float32')).apply(a), b])],
    });
    const values = [Int32Array.of(1, 2, 3, 4), Float32Array.of(0.5, 0.5, 2, 2)];
    const [same, product] = await net.predict<Tensor[]>(values);
    expect([...same.dataSync()]).toEqual([1, 2, 3, 4]);
    expect([...product.dataSync()]).toEqual([0.5, 1, 6, 8]);
    await fails('INVALID_ARGUMENT', /x\.a must hold integers/, () => net.predict([[[0.5, 1]], [[1, 1]]]));
  });
});

test('sparse rows for a graph with one input', async () => {
  const graph = () => {
    seed(3);
    const x = input({ shape: [40] });
    const h = layers.dropout({ rate: 0.2, seed: 5 }).apply(x);
    const hidden = dense({ units: 4, activation: 'tanh' }).apply(h);
    const made = model({
      inputs: x,
      outputs: { a: dense({ units: 1 }).apply(hidden), b: dense({ units: 2 }).apply(hidden) },
    });
    made.compile({ optimizer: 'adam', loss: 'mse' });
    return made;
  };
  const dense40 = randomArray(kRows * 40, 9).map((value) => (value > 0.8 ? value : 0));
  const places = [...dense40.keys()].filter((i) => dense40[i] !== 0);
  const sparse = new data.SparseRows({
    shape: [kRows, 40],
    indptr: Int32Array.from({ length: kRows + 1 }, (_, row) => places.filter((i) => i < 40 * row).length),
    indices: Int32Array.from(places, (i) => i % 40),
    values: Float32Array.from(places, (i) => dense40[i]!),
  });
  const targets = { a: size, b: randomArray(2 * kRows, 4) };
  const run = async (x: never) => {
    const made = graph();
    seed(6);
    const { history } = await made.fit(x, targets, { epochs: 2, batchSize: 8 });
    const found = await made.predict(x);
    return [history.loss!.map((loss) => loss.toFixed(5)), [...found.b.dataSync()].map((value) => value.toFixed(4))];
  };
  expect(await run(sparse as never)).toEqual(await run(dense40 as never));
  await fails('UNSUPPORTED', /a model with 2 inputs cannot take sparse rows/, () =>
    net().predict([sparse as never, right]),
  );
  const [x, other] = [input({ shape: [40] }), input({ shape: [40] })];
  const both = layers.add().apply([x, x]);
  await fails('UNSUPPORTED', /"add" \(Add\) takes several inputs, and sparse rows/, () =>
    model({ inputs: x, outputs: both }).predict(sparse),
  );
  await fails('UNSUPPORTED', /output "input.*" of model.*would be sparse rows/, () =>
    model({ inputs: other, outputs: other }).predict(sparse),
  );
});

describe('what is wrong', () => {
  test.each([
    [
      /x: expected a list of 2 \(left, right\), or an object by these names; received an object of type Tensor/,
      left,
      y,
    ],
    [/x lacks input "right"/, { left }, y],
    [/y lacks output "size"; expected a list of 2 \(size, kind\)/, x, { kind }],
    [/y: expected a list of 2/, x, size],
  ])('%s', (message, data, targets) =>
    fails('INVALID_ARGUMENT', message, () => net().fit(data as never, targets as never, {})),
  );

  test('rows, shapes and names', async () => {
    const made = net();
    await fails('SHAPE_MISMATCH', /All inputs must have as many rows; x\.left has 24, x\.right has 2\./, () =>
      made.fit([left, right.subarray(4 * 11)], y),
    );
    await fails('SHAPE_MISMATCH', /x\.left must have shape \[n, 3\].*received \[24, 2\]/, () =>
      made.fit([tensor(right, [kRows, 2]), right], y),
    );
    await fails('SHAPE_MISMATCH', /x has 24 rows, but y\.kind has 20/, () =>
      made.fit(x, { size, kind: kind.subarray(4) }),
    );
    await fails('SHAPE_MISMATCH', /y\.size must have shape \[n, 1\] for the loss "meanSquaredError"/, () =>
      made.fit(x, { size: [[1, 2]], kind }),
    );
    await fails('UNKNOWN_NAME', /x: the model has no input "lefd". Did you mean "left"/, () =>
      made.fit({ lefd: left, right }, y),
    );
    await fails('NON_FINITE', /x\.right/, () => made.fit({ left, right: right.map(() => NaN) }, y));
    await fails('INVALID_ARGUMENT', /x: expected an object by the names left, right; received/, () =>
      net('record').fit([left, right], y),
    );
    await fails('LABEL_OUT_OF_RANGE', /label/, () => made.fit(x, { size, kind: kind.map(() => 7) }));
  });

  test('compile', () => {
    const refused = (message: RegExp, options: object) =>
      throwsAtOnce('INVALID_ARGUMENT', message, () => net('list', options));
    refused(/loss: at least one output must have a loss/, { loss: [null, null] });
    refused(/loss: expected a list of 2/, { loss: ['mse'] });
    refused(/lossWeights must be a list or an object.*size, kind; received 2/, { lossWeights: 2 });
    refused(/lossWeights\[1\] must be a number/, { lossWeights: [1, '2'] });
    refused(/metrics: expected a list of 2/, { metrics: ['accuracy'] });
    throwsAtOnce('UNKNOWN_NAME', /loss: the model has no output "kinds"/, () =>
      net('list', { loss: { kinds: 'mse' } }),
    );
    throwsAtOnce('UNKNOWN_NAME', /Unknown loss "mes"/, () => net('list', { loss: { size: 'mes' } }));
    const one = sequential([dense({ units: 1, inputShape: [3] })]);
    throwsAtOnce('INVALID_ARGUMENT', /loss: the model has one output/, () =>
      one.compile({ optimizer: 'sgd', loss: ['mse', 'mae'] }),
    );
  });
});

test('metrics of each output, streaming ones and functions, have its name', async () => {
  const spread = {
    name: 'spread',
    sums: 2,
    update: (_: never, p: never) => [ops.sum(p), ops.sum(ops.square(p))],
    result: ([a]: Float64Array) => a,
  };
  const means = {
    name: 'mean',
    sums: ([classes]: readonly number[]) => classes!,
    update: (_: never, p: never) => ops.sum(p, 0),
    result: (sums: Float64Array) => [...sums].map((sum) => sum / kRows),
  };
  const made = net('list', {
    metrics: [
      ['mae', spread],
      [metrics.sparseCategoricalAccuracy({ name: 'right' }), means],
    ],
    weightedMetrics: [['mae'], 'accuracy'],
  });
  expect(Object.keys(await made.evaluate(x, y))).toEqual([
    'loss',
    'size_loss',
    'kind_loss',
    'size_mae',
    'size_spread',
    'kind_right',
    'kind_mean_0',
    'kind_mean_1',
    'kind_mean_2',
    'size_weighted_mae',
    'kind_accuracy',
  ]);
  const all = net('list', { metrics: 'mse', loss: { size: 'mse', kind: losses.meanSquaredError() } });
  const oneHot = new Float32Array(3 * kRows);
  const logs = await all.evaluate(x, { size, kind: oneHot });
  expect([logs.size_mse, logs.kind_mse]).toEqual([logs.size_loss, logs.kind_loss]);
});

test('freezing takes effect at compile, and frozen weights have no slots', async () => {
  const made = net('list', onlyAccuracy);
  const hidden = made.getLayer('dense');
  hidden.trainable = false;
  made.compile({ optimizer: 'adam', loss: ['mse', 'sparseCategoricalCrossentropy'] });
  const before = weightsOf(made);
  await made.fit(x, y, { epochs: 2 });
  const after = weightsOf(made);
  expect(after.slice(0, 2)).toEqual(before.slice(0, 2));
  expect(after.slice(2)).not.toEqual(before.slice(2));
  const { optimizer } = made.compiled!;
  expect(made.parameters.map((parameter) => optimizer.slotsOf(parameter) !== null)).toEqual([
    false,
    false,
    true,
    true,
    true,
    true,
  ]);
  hidden.trainable = true;
  made.compile({ optimizer: 'adam', loss: ['mse', 'sparseCategoricalCrossentropy'] });
  await made.fit(x, y);
  expect(weightsOf(made)[0]).not.toEqual(before[0]);
});

test('callbacks, profiles and diagnostics', async () => {
  const made = net('list', onlyAccuracy);
  const stop = callbacks.earlyStopping({ monitor: 'val_kind_loss', patience: 2, restoreBestWeights: true });
  const { history } = await made.fit(x, y, { epochs: 3, validationSplit: 0.25, callbacks: [stop] });
  expect(history.val_kind_accuracy).toHaveLength(3);
  expect((await made.program('train').profile({ x, y, batchSize: 8, runs: 1 })).steps.length).toBeGreaterThan(0);
  expect((await made.program('train').profile()).steps.length).toBeGreaterThan(0);
  expect(made.program('predict').describe()).toMatch(/output 0.*output 1/s);
  const { layers: found } = await diagnostics.initialSpread(made, x, y);
  expect(found.map(({ name }) => name)).toEqual(['concatenate', 'dense', 'size', 'kind']);
  // The gradient at an output is what it is, wherever the output stands.
  const slope = Object.fromEntries(found.map(({ name, gradient }) => [name, gradient.standardDeviation]));
  const turned = net('record', onlyAccuracy);
  turned.setWeights([0, 1, 4, 5, 2, 3].map((i) => made.getWeights()[i]!));
  for (const { name, gradient } of (await diagnostics.initialSpread(turned, x, y)).layers)
    expect(gradient.standardDeviation).toBeCloseTo(slope[name]!, 6);
  expect(slope.kind).toBeGreaterThan(0);
  expect((await diagnostics.overfitBatch(made, x, y, { steps: 3 })).losses).toHaveLength(3);
  const broken = net('list', {
    loss: { size: () => ops.log(tensor(-1)) } as never,
    metrics: undefined,
    lossWeights: undefined,
  });
  await fails('NON_FINITE', /loss is NaN/, () => broken.fit(x, y));
});
