// Building models: shapes, weights, parameters, options.
import {
  compile,
  grad,
  layers,
  ops,
  type Sequential,
  seed,
  sequential,
  setDevice,
  type SymbolicTensor,
  tensor,
} from 'downhill';
import { expect, test } from 'vitest';
import { close, fails, quadrants, randomArray, throwsAtOnce } from '../support.js';

function net(): Sequential {
  return sequential([layers.dense({ units: 4, activation: 'tanh', inputShape: [3] }), layers.dense({ units: 2 })]);
}

test('weights, parameters and counts', () => {
  const model = net();
  expect(model.getWeights().map(({ shape }) => shape)).toEqual([[3, 4], [4], [4, 2], [2]]);
  expect(model.parameters.map(({ name, shape }) => [name, shape])).toEqual([
    ['dense/kernel', [3, 4]],
    ['dense/bias', [4]],
    ['dense_1/kernel', [4, 2]],
    ['dense_1/bias', [2]],
  ]);
  expect(model.countParams()).toBe(26);
  expect([model.inputShape, model.outputShape]).toEqual([[3], [2]]);
});

test('getWeights gives copies; setWeights takes tensors, typed and nested arrays', () => {
  const model = net();
  const before = model.getWeights();
  const values = [randomArray(12, 1), Int32Array.of(1, 2, 3, 4), tensor(randomArray(8, 2), [4, 2]), [0.5, -0.5]];
  model.setWeights(values);
  const after = model.getWeights();
  expect([...after[0].dataSync()]).toEqual([...(values[0] as Float32Array)]);
  expect([...after[1].dataSync()]).toEqual([1, 2, 3, 4]);
  expect([...after[2].dataSync()]).toEqual([...randomArray(8, 2)]);
  expect([...after[3].dataSync()]).toEqual([0.5, -0.5]);
  expect([...before[1].dataSync()]).toEqual([0, 0, 0, 0]);
  model.parameters[1].assign([9, 9, 9, 9]);
  expect([...after[1].dataSync()]).toEqual([1, 2, 3, 4]);
  expect([...model.getWeights()[1].dataSync()]).toEqual([9, 9, 9, 9]);
});

test('setWeights that do not fit change nothing', () => {
  const model = net();
  const before = model.getWeights().map((weight) => [...weight.dataSync()]);
  throwsAtOnce('SHAPE_MISMATCH', /4 weights \(dense\/kernel.*received 1/, () => model.setWeights([[1]]));
  throwsAtOnce('SHAPE_MISMATCH', /item 3 \(dense_1\/bias\) must have shape \[2\]; received \[3\]/, () =>
    model.setWeights([new Float32Array(12), new Float32Array(4), new Float32Array(8), [1, 2, 3]]),
  );
  throwsAtOnce('SHAPE_MISMATCH', /item 0/, () =>
    model.setWeights([tensor(new Float32Array(12), [4, 3]), new Float32Array(4), new Float32Array(8), [1, 2]]),
  );
  throwsAtOnce('INVALID_ARGUMENT', /list of arrays/, () => model.setWeights(new Float32Array(26) as never));
  expect(model.getWeights().map((weight) => [...weight.dataSync()])).toEqual(before);
});

test('the same seed gives the same weights, whenever they are first read', () => {
  seed(11);
  const a = net();
  seed(11);
  const b = net();
  const read = (model: Sequential) => model.getWeights().map((weight) => [...weight.dataSync()]);
  expect(read(a)).toEqual(read(b));
  expect(read(net())).not.toEqual(read(a));
});

test('an unbuilt model says so, and is built by its first data', async () => {
  const make = () => sequential([layers.dense({ units: 2, activation: 'softmax' })]);
  const model = make();
  for (const work of [
    () => model.summary(),
    () => model.getWeights(),
    () => model.countParams(),
    () => model.parameters,
  ])
    throwsAtOnce('NOT_BUILT', /inputShape/, work);
  model.compile({ optimizer: 'sgd', loss: 'categoricalCrossentropy' });
  await fails('NOT_BUILT', /inputShape/, () => model.fit(new Float32Array(6), new Float32Array(4)));
  await model.fit(
    [
      [1, 2, 3],
      [4, 5, 6],
    ],
    [
      [0, 1],
      [1, 0],
    ],
  );
  expect(model.inputShape).toEqual([3]);
  const applied = make();
  expect(applied.apply([[1, 2, 3, 4]]).shape).toEqual([1, 2]);
  expect(applied.countParams()).toBe(10);
  const built = make();
  built.build([5]);
  expect(built.countParams()).toBe(12);
});

test('add keeps the weights, before and after use', async () => {
  const model = sequential();
  throwsAtOnce('NOT_BUILT', /no input shape/, () => model.countParams());
  model.add(layers.dense({ units: 3, inputShape: [2] }));
  const [kernel] = model.getWeights();
  model.add(layers.dense({ units: 1 }));
  expect(model.countParams()).toBe(13);
  expect([...model.getWeights()[0].dataSync()]).toEqual([...kernel.dataSync()]);
  model.compile({ optimizer: 'sgd', loss: 'mse' });
  const { x, labels } = quadrants(8);
  await model.fit(x, labels, { epochs: 2 });
  model.add(layers.dense({ units: 2, activation: 'softmax' }));
  expect(model.outputShape).toEqual([2]);
  model.compile({ optimizer: 'sgd', loss: 'sparseCategoricalCrossentropy' });
  const before = model.getWeights().map((weight) => [...weight.dataSync()]);
  await model.fit(x, labels, { epochs: 2 });
  const after = model.getWeights().map((weight) => [...weight.dataSync()]);
  after.forEach((values, i) => {
    expect(values, `weight ${i}`).not.toEqual(before[i]);
  });
});

test('layers that do not fit together', () => {
  const flat = () =>
    sequential([layers.reshape({ targetShape: [2, 2], inputShape: [4] }), layers.reshape({ targetShape: [5] })]);
  throwsAtOnce('SHAPE_MISMATCH', /"reshape_1".*\[5\].*\[n, 2, 2\]/, flat);
});

test('apply runs inside traced functions', async () => {
  const model = net();
  const x = [
    [0.1, -0.2, 0.3],
    [1, 2, 3],
  ];
  const concrete = model.apply(x);
  expect(concrete.shape).toEqual([2, 2]);
  const traced = compile((input: SymbolicTensor) => model.apply(input));
  close(await traced(x), concrete.arraySync());
  const slope = await grad((input: SymbolicTensor) => ops.sum(model.apply(input)))(x);
  expect(slope.shape).toEqual([2, 3]);
  throwsAtOnce('SHAPE_MISMATCH', /"dense".*3 features/, () => model.apply([[1, 2]]));
  close(await model.predict(x), concrete.arraySync());
});

test('options', () => {
  throwsAtOnce('UNKNOWN_OPTION', /"nam".*Did you mean "name"/, () => sequential([], { nam: 'x' } as never));
  throwsAtOnce('DEVICE_UNAVAILABLE', /"cuda:99"/, () => sequential([], { device: 'cuda:99' }));
  throwsAtOnce('UNSUPPORTED', /"tf32".*"float32"/, () => sequential([], { precision: 'tf32' }));
  throwsAtOnce('INVALID_ARGUMENT', /list of layers/, () => sequential(layers.dense({ units: 1 }) as never));
  expect(sequential([], { name: 'mine', device: 'cpu', precision: 'float32' }).name).toBe('mine');
  throwsAtOnce('DEVICE_UNAVAILABLE', /cuda:99/, () => setDevice('cuda:99'));
});

test('summary', () => {
  let text = '';
  sequential([layers.flatten({ inputShape: [2, 3] }), layers.dense({ units: 1000, name: 'wide' })], {
    name: 'mine',
  }).summary((line) => {
    text += line;
  });
  expect(text).toBe(
    [
      'Model: "mine"',
      '┏━━━━━━━━━━━━━━━━━━━┳━━━━━━━━━━━━━━┳━━━━━━━━━┓',
      '┃ Layer (type)      ┃ Output Shape ┃ Param # ┃',
      '┡━━━━━━━━━━━━━━━━━━━╇━━━━━━━━━━━━━━╇━━━━━━━━━┩',
      '│ flatten (Flatten) │ (None, 6)    │       0 │',
      '├───────────────────┼──────────────┼─────────┤',
      '│ wide (Dense)      │ (None, 1000) │   7,000 │',
      '└───────────────────┴──────────────┴─────────┘',
      ' Total params: 7,000 (27.34 KB)',
      ' Trainable params: 7,000 (27.34 KB)',
      ' Non-trainable params: 0 (0.00 B)',
    ].join('\n'),
  );
});

test('frozen layers', async () => {
  const model = sequential([layers.dense({ units: 4, inputShape: [2], trainable: false }), layers.dense({ units: 1 })]);
  model.compile({ optimizer: 'sgd', loss: 'mse' });
  const before = model.getWeights().map((weight) => [...weight.dataSync()]);
  const { x, labels } = quadrants(16);
  await model.fit(x, labels);
  const after = model.getWeights().map((weight) => [...weight.dataSync()]);
  expect(after.slice(0, 2)).toEqual(before.slice(0, 2));
  expect(after[2]).not.toEqual(before[2]);
  let text = '';
  model.summary((line) => {
    text = line;
  });
  expect(text).toContain('Trainable params: 5 ');
  expect(text).toContain('Non-trainable params: 12 ');
});

test('two models may share a layer', async () => {
  const shared = layers.dense({ units: 3, inputShape: [2] });
  const [a, b] = [sequential([shared]), sequential([shared, layers.dense({ units: 1 })])];
  b.compile({ optimizer: 'sgd', loss: 'mse' });
  const before = [...a.getWeights()[0].dataSync()];
  const { x, labels } = quadrants(16);
  await b.fit(x, labels);
  expect([...a.getWeights()[0].dataSync()]).not.toEqual(before);
  expect([...a.getWeights()[0].dataSync()]).toEqual([...b.getWeights()[0].dataSync()]);
});

test('program describes the step', async () => {
  const model = net();
  throwsAtOnce('NOT_COMPILED', /compile/, () => model.program('train').describe());
  model.compile({ optimizer: 'sgd', loss: 'mse' });
  expect(model.program('train').describe()).toMatch(/matmul\+bias\+tanh +\[32, 3\]/);
  await model.fit(randomArray(60, 1), randomArray(40, 2), { batchSize: 8 });
  expect(model.program('train').describe()).toMatch(/matmul\+bias\+tanh +\[8, 3\]/);
  expect(model.program('predict').describe()).not.toContain('tanhGrad');
  throwsAtOnce('INVALID_ARGUMENT', /"train", "predict"/, () => model.program('test' as never));
});

test('use after dispose', async () => {
  const model = net();
  model.compile({ optimizer: 'sgd', loss: 'mse' });
  const [kernel] = model.parameters;
  await model.fit(randomArray(6, 1), randomArray(4, 2));
  model.dispose();
  model.dispose();
  for (const work of [
    () => model.fit(randomArray(6, 1), randomArray(4, 2)),
    () => model.evaluate(randomArray(6, 1), randomArray(4, 2)),
    () => model.trainOnBatch(randomArray(6, 1), randomArray(4, 2)),
    () => model.predict(randomArray(6, 1)),
    () => model.getWeights(),
    () => model.setWeights([]),
    () => model.compile({ optimizer: 'sgd', loss: 'mse' }),
    () => model.apply([[1, 2, 3]]),
    () => kernel.dataSync(),
  ])
    await fails('DISPOSED', /disposed/, work);
});
