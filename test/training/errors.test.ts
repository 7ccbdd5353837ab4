// What fit, evaluate and predict refuse, and that the model stays usable.
import { layers, type Model, optimizers, sequential, tensor } from 'downhill';
import { afterEach, expect, test } from 'vitest';
import { classifier, fails, quadrants, throwsAtOnce } from '../support.js';

const { x, labels, oneHot } = quadrants(20);
const net = classifier();
const sparse = classifier(['accuracy'], 'sparseCategoricalCrossentropy');

afterEach(async () => {
  expect((await net.fit(x, oneHot)).history.loss[0]).toBeGreaterThan(0);
});

test('a model that is not compiled', async () => {
  const raw = sequential([layers.dense({ units: 1, inputShape: [2] })]);
  await fails('NOT_COMPILED', /compile/, () => raw.fit(x, labels));
  await fails('NOT_COMPILED', /compile/, () => raw.evaluate(x, labels));
  await fails('NOT_COMPILED', /compile/, () => raw.trainOnBatch(x, labels));
  throwsAtOnce('NOT_COMPILED', /compile/, () => raw.setLearningRate(1));
  expect((await raw.predict(x)).shape).toEqual([20, 1]);
});

test('compile checks names and keys', () => {
  const raw = classifier();
  const compile = (options: object) => () => raw.compile(options as never);
  throwsAtOnce('UNKNOWN_NAME', /optimizer "sdg".*Did you mean "sgd"/, compile({ optimizer: 'sdg', loss: 'mse' }));
  throwsAtOnce(
    'UNKNOWN_NAME',
    /loss "categoricalCrossentrpy".*Did you mean "categoricalCrossentropy"/,
    compile({ optimizer: 'sgd', loss: 'categoricalCrossentrpy' }),
  );
  throwsAtOnce(
    'UNKNOWN_NAME',
    /metric "acuracy".*Did you mean "accuracy"/,
    compile({ optimizer: 'sgd', loss: 'mse', metrics: ['acuracy'] }),
  );
  throwsAtOnce(
    'UNKNOWN_OPTION',
    /"metric".*Did you mean "metrics"/,
    compile({ optimizer: 'sgd', loss: 'mse', metric: [] }),
  );
  throwsAtOnce('INVALID_ARGUMENT', /needs the option "loss"/, compile({ optimizer: 'sgd' }));
  throwsAtOnce('INVALID_ARGUMENT', /needs the option "optimizer"/, compile({ loss: 'mse' }));
  throwsAtOnce(
    'INVALID_ARGUMENT',
    /metrics must be a name, a metric/,
    compile({ optimizer: 'sgd', loss: 'mse', metrics: 3 }),
  );
  throwsAtOnce('INVALID_ARGUMENT', /metrics\[0\]/, compile({ optimizer: 'sgd', loss: 'mse', metrics: [3] }));
  throwsAtOnce('INVALID_ARGUMENT', /loss must be/, compile({ optimizer: 'sgd', loss: 3 }));
});

test('options of fit', async () => {
  const train = (options: object) => () => net.fit(x, oneHot, options as never);
  await fails('UNKNOWN_OPTION', /"batchsize".*Did you mean "batchSize"/, train({ batchsize: 3 }));
  await fails('OUT_OF_RANGE', /batchSize.*at least 1; received 0/, train({ batchSize: 0 }));
  await fails('OUT_OF_RANGE', /epochs.*received 1\.5/, train({ epochs: 1.5 }));
  await fails('OUT_OF_RANGE', /initialEpoch/, train({ initialEpoch: -1 }));
  await fails('OUT_OF_RANGE', /stepsPerEpoch/, train({ stepsPerEpoch: 0 }));
  await fails('INVALID_ARGUMENT', /shuffle must be one of true, false, "once"/, train({ shuffle: 'yes' }));
  await fails('INVALID_ARGUMENT', /verbose must be one of "auto", 0, 1, 2/, train({ verbose: 3 }));
  await fails('INVALID_ARGUMENT', /onNonFinite must be one of/, train({ onNonFinite: 'throw' }));
  await fails('INVALID_ARGUMENT', /AbortSignal/, train({ signal: {} }));
  await fails('UNKNOWN_OPTION', /evaluate: unknown option "epochs"/, () =>
    net.evaluate(x, oneHot, { epochs: 3 } as never),
  );
  await fails('OUT_OF_RANGE', /predict: batchSize/, () => net.predict(x, { batchSize: -1 }));
});

test('shapes', async () => {
  const train = (a: unknown, b: unknown) => () => net.fit(a as never, b as never);
  await fails('SHAPE_MISMATCH', /x must fill rows of shape \[2\].*41 values/, train(new Float32Array(41), oneHot));
  await fails(
    'SHAPE_MISMATCH',
    /x must have shape \[n, 2\].*received \[20, 3\]/,
    train(tensor(new Float32Array(60), [20, 3]), oneHot),
  );
  await fails('SHAPE_MISMATCH', /x is ragged/, train([[1, 2], [3]], oneHot));
  await fails('SHAPE_MISMATCH', /x has 20 rows, but y has 19/, train(x, oneHot.subarray(2)));
  await fails('SHAPE_MISMATCH', /y must have shape \[n, 2\].*received 39 values/, train(x, oneHot.subarray(1)));
  await fails('SHAPE_MISMATCH', /x has 20 rows, but y has 10.*toCategorical/, train(x, labels));
  await fails('SHAPE_MISMATCH', /received \[20\].*toCategorical/, train(x, tensor(labels)));
  await fails('SHAPE_MISMATCH', /received \[20, 3\]/, train(x, tensor(new Float32Array(60), [20, 3])));
  await fails('SHAPE_MISMATCH', /y has 40.*categorical loss/, () => sparse.fit(x, oneHot));
  await fails('SHAPE_MISMATCH', /x must have shape/, () => net.predict([[1, 2, 3]]));
  await fails('SHAPE_MISMATCH', /x has 20 rows/, () => net.evaluate(x, oneHot.subarray(2)));
  await fails('SHAPE_MISMATCH', /x has 2 rows/, () => net.trainOnBatch(x.subarray(0, 4), oneHot.subarray(0, 2)));
});

test('no data', async () => {
  const nothing = new Float32Array(0);
  await fails('EMPTY_DATA', /x has no rows/, () => net.fit(nothing, nothing));
  await fails('EMPTY_DATA', /x has no rows/, () => net.fit([], []));
  await fails('EMPTY_DATA', /x has no rows/, () => net.evaluate(nothing, nothing));
  await fails('EMPTY_DATA', /x has no rows/, () => net.predict(nothing));
  await fails('EMPTY_DATA', /no batch in epoch 1/, () => net.fit([][Symbol.iterator]()));
  await fails('INVALID_ARGUMENT', /x is missing/, () => net.fit(undefined as never, oneHot));
  await fails('INVALID_ARGUMENT', /y is missing/, () => net.fit(x, undefined as never));
});

test('data of the wrong kind', async () => {
  await fails('INVALID_ARGUMENT', /x must be a Tensor, a typed array/, () => net.fit('digits' as never, oneHot));
  await fails('INVALID_ARGUMENT', /x must hold numbers/, () => net.fit([['a', 'b']] as never, [[0, 1]]));
  await fails('DTYPE_MISMATCH', /BigInt64Array/, () => net.fit(new BigInt64Array(40) as never, oneHot));
  const gone = tensor(x, [20, 2]);
  gone.dispose();
  await fails('DISPOSED', /disposed/, () => net.fit(gone, oneHot));
});

test('labels out of range, and labels that are not whole', async () => {
  for (const bad of [2, -1, 1_000_000]) {
    const wrong = labels.slice();
    wrong[7] = bad;
    const weights = sparse.getWeights().map((weight) => [...weight.dataSync()]);
    await fails('LABEL_OUT_OF_RANGE', new RegExp(`${bad}`), () => sparse.fit(x, wrong, { batchSize: 20 }));
    expect(sparse.getWeights().map((weight) => [...weight.dataSync()])).toEqual(weights);
    await fails('LABEL_OUT_OF_RANGE', new RegExp(`${bad}`), () => sparse.evaluate(x, wrong));
  }
  const half = Float32Array.from(labels);
  half[3] = 0.5;
  await fails('INVALID_ARGUMENT', /y\[row 3.*0\.5.*whole/, () => sparse.fit(x, half));
  await sparse.fit(x, labels);
});

test('NaN and infinity in the data are named', async () => {
  for (const bad of [Number.NaN, Infinity, -Infinity]) {
    const wrong = x.slice();
    wrong[9] = bad;
    await fails('NON_FINITE', /x\[row 4, element 1\]/, () => net.fit(wrong, oneHot));
    await fails('NON_FINITE', /x\[row 4, element 1\]/, () => net.evaluate(wrong, oneHot));
    await fails('NON_FINITE', /x\[row 4, element 1\]/, () => net.trainOnBatch(wrong, oneHot));
    await fails('NON_FINITE', /x\[row 4, element 1\]/, () => net.fit(tensor(wrong, [20, 2]), oneHot));
    const targets = oneHot.slice();
    targets[6] = bad;
    await fails('NON_FINITE', /y\[row 3, element 0\]/, () => net.fit(x, targets));
  }
  const wide = Float64Array.from(x);
  wide[2] = 1e300;
  await fails('NON_FINITE', /x\[row 1, element 0\].*float32/, () => net.fit(wide, oneHot));
});

/** A loss that overflows after a few steps. */
function exploding(): Model {
  const model = sequential([layers.dense({ units: 1, inputShape: [2], kernelInitializer: 'ones' })]);
  model.compile({ optimizer: optimizers.sgd({ learningRate: 1e12 }), loss: 'mse' });
  return model;
}

test('NaN in the loss names epoch and step; weights are those of the last finished step', async () => {
  const model = exploding();
  const targets = new Float32Array(20);
  let finished: number[] = [];
  const watch = {
    onTrainBatchEnd: () => {
      finished = model.getWeights().flatMap((weight) => [...weight.dataSync()]);
    },
  };
  await fails('NON_FINITE', /epoch 1, step [2-9]/, () => model.fit(x, targets, { batchSize: 2, callbacks: [watch] }));
  expect(finished.length).toBe(3);
  expect(model.getWeights().flatMap((weight) => [...weight.dataSync()])).toEqual(finished);
});

test('onNonFinite: warn and ignore go on', async () => {
  const targets = new Float32Array(20);
  const warnings: string[] = [];
  const listen = (warning: Error) => warnings.push(warning.message);
  process.on('warning', listen);
  const ended = await exploding().fit(x, targets, { batchSize: 2, onNonFinite: 'ignore' });
  expect(ended.history.loss[0]).not.toSatisfy(Number.isFinite);
  await new Promise((resolve) => setImmediate(resolve));
  expect(warnings).toEqual([]);
  await exploding().fit(x, targets, { batchSize: 2, onNonFinite: 'warn' });
  const wrong = x.slice();
  wrong[9] = Number.NaN;
  await exploding().fit(wrong, targets, { onNonFinite: 'warn' });
  await new Promise((resolve) => setImmediate(resolve));
  process.off('warning', listen);
  expect(warnings[0]).toMatch(/loss was not finite in \d of 10 batches of epoch 1/);
  expect(warnings[1]).toMatch(/x\[row 4, element 1\] is NaN/);
});

test('fit while fitting', async () => {
  const big = quadrants(20_000);
  const model = classifier();
  const fitting = model.fit(big.x, big.oneHot, { epochs: 3 });
  await fails('BUSY', /in fit\(\)/, () => model.fit(x, oneHot));
  await fails('BUSY', /in fit\(\)/, () => model.trainOnBatch(x, oneHot));
  throwsAtOnce('BUSY', /compile: the model is in fit\(\)/, () => model.compile({ optimizer: 'sgd', loss: 'mse' }));
  const { history } = await fitting;
  expect(history.loss).toHaveLength(3);
  await model.fit(x, oneHot);
});
