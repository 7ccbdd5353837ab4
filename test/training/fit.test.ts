// What fit computes: updates, epochs, history, logs.
import {
  type History,
  layers,
  losses,
  metrics,
  ops,
  optimizers,
  type SymbolicTensor,
  seed,
  sequential,
  tensor,
} from 'downhill';
import { expect, test } from 'vitest';
import { classifier, close, quadrants, randomArray } from '../support.js';

/** y = x·W + b by gradient descent on the mean squared error, in double precision. */
function regression(x: number[][], y: number[][], w: number[][], b: number[], rate: number) {
  const n = x.length;
  const units = b.length;
  const out = x.map((row) => b.map((bj, j) => row.reduce((sum, xi, i) => sum + xi * w[i][j], bj)));
  const loss = out.reduce((sum, row, r) => sum + row.reduce((s, o, j) => s + (o - y[r][j]) ** 2, 0) / units, 0) / n;
  const delta = out.map((row, r) => row.map((o, j) => (2 * (o - y[r][j])) / (units * n)));
  return {
    loss,
    w: w.map((row, i) => row.map((wij, j) => wij - rate * delta.reduce((sum, d, r) => sum + d[j] * x[r][i], 0))),
    b: b.map((bj, j) => bj - rate * delta.reduce((sum, d) => sum + d[j], 0)),
  };
}

const rowsOf = (values: Float32Array, width: number) =>
  Array.from({ length: values.length / width }, (_, i) => [...values.subarray(i * width, (i + 1) * width)]);

test('steps of gradient descent, a partial batch included, as in double precision', async () => {
  const [x, y] = [rowsOf(randomArray(30, 1), 3), rowsOf(randomArray(20, 2), 2)];
  const net = sequential([layers.dense({ units: 2, inputShape: [3] })]);
  let w = rowsOf(randomArray(6, 3), 2);
  let b = [0.1, -0.1];
  net.setWeights([w, b]);
  net.compile({ optimizer: optimizers.sgd({ learningRate: 0.1 }), loss: 'meanSquaredError' });
  const { history } = await net.fit(x, y, { batchSize: 4, epochs: 3, shuffle: false });
  const expected: number[] = [];
  for (let epoch = 0; epoch < 3; epoch++) {
    let sum = 0;
    for (const [begin, end] of [
      [0, 4],
      [4, 8],
      [8, 10],
    ]) {
      const step = regression(x.slice(begin, end), y.slice(begin, end), w, b, 0.1);
      ({ w, b } = step);
      sum += step.loss * (end - begin);
    }
    expected.push(sum / 10);
  }
  close(history.loss, expected);
  close(net.getWeights()[0], w);
  close(net.getWeights()[1], b);
});

test('trainOnBatch: the numbers before its update', async () => {
  const [x, y] = [rowsOf(randomArray(30, 1), 3), rowsOf(randomArray(20, 2), 2)];
  const net = sequential([layers.dense({ units: 2, inputShape: [3] })]);
  net.setWeights([rowsOf(randomArray(6, 3), 2), [0, 0]]);
  net.compile({ optimizer: optimizers.sgd({ learningRate: 0.1 }), loss: 'mse', metrics: ['mae'] });
  const first = regression(x, y, rowsOf(randomArray(6, 3), 2), [0, 0], 0.1);
  const logs = await net.trainOnBatch(x, y);
  expect(Object.keys(logs)).toEqual(['loss', 'mae']);
  close([logs.loss], [first.loss]);
  close(net.getWeights()[0], first.w);
  const second = regression(x, y, first.w, first.b, 0.1);
  close([(await net.trainOnBatch(x, y)).loss], [second.loss]);
});

test('it learns, and predicts what it learnt', async () => {
  seed(3);
  const { x, oneHot } = quadrants(400);
  const net = classifier();
  net.setLearningRate(0.01);
  const { history } = await net.fit(x, oneHot, { batchSize: 16, epochs: 60 });
  expect(history.accuracy.at(-1)).toBeGreaterThan(0.95);
  expect(history.loss.at(-1)).toBeLessThan(0.25);
  const unseen = quadrants(200, 99);
  const { loss, accuracy } = await net.evaluate(unseen.x, unseen.oneHot);
  expect(accuracy).toBeGreaterThan(0.9);
  const outputs = await net.predict(unseen.x);
  expect(outputs.shape).toEqual([200, 2]);
  const p = outputs.dataSync();
  const right = [...unseen.labels].filter((label, i) => (p[2 * i + 1] > p[2 * i] ? 1 : 0) === label).length;
  expect(right / 200).toBeCloseTo(accuracy, 6);
  const crossEntropy = [...unseen.labels].reduce((sum, label, i) => sum - Math.log(p[2 * i + label]), 0) / 200;
  expect(loss).toBeCloseTo(crossEntropy, 5);
});

test('it overfits one batch', async () => {
  seed(4);
  const x = randomArray(8 * 5, 1);
  const y = Int32Array.from({ length: 8 }, (_, i) => (i * 7) % 3);
  const net = sequential([
    layers.dense({ units: 32, activation: 'relu', inputShape: [5] }),
    layers.dense({ units: 3, activation: 'softmax' }),
  ]);
  net.compile({
    optimizer: optimizers.adam({ learningRate: 0.01 }),
    loss: 'sparseCategoricalCrossentropy',
    metrics: ['accuracy'],
  });
  const { history } = await net.fit(x, y, { batchSize: 8, epochs: 300 });
  expect(history.loss.at(-1)).toBeLessThan(0.01);
  expect(history.accuracy.at(-1)).toBe(1);
});

test('binary targets [n] for an output [n, 1]', async () => {
  seed(5);
  const { x, labels } = quadrants(200);
  const net = sequential([
    layers.dense({ units: 16, activation: 'tanh', inputShape: [2] }),
    layers.dense({ units: 1, activation: 'sigmoid' }),
  ]);
  net.compile({
    optimizer: optimizers.adam({ learningRate: 0.02 }),
    loss: 'binaryCrossentropy',
    metrics: ['accuracy'],
  });
  const { history } = await net.fit(x, labels, { epochs: 60 });
  expect(history.accuracy.at(-1)).toBeGreaterThan(0.95);
});

test('history has Keras’s keys, metrics under the names they were given', async () => {
  const { x, oneHot } = quadrants(64);
  const keys = async (given: unknown[], options = {}) => {
    const net = classifier();
    net.compile({ optimizer: 'sgd', loss: 'categorical_crossentropy', metrics: given as never });
    const result: History = await net.fit(x, oneHot, { epochs: 2, ...options });
    expect(Object.values(result.history).every((values) => values.length === 2)).toBe(true);
    expect(result.epoch).toEqual([0, 1]);
    return Object.keys(result.history);
  };
  expect(await keys([])).toEqual(['loss']);
  expect(await keys(['accuracy'], { validationSplit: 0.5 })).toEqual(['loss', 'accuracy', 'val_loss', 'val_accuracy']);
  expect(await keys(['acc', 'mean_squared_error', 'mse'])).toEqual(['loss', 'acc', 'mean_squared_error', 'mse']);
  expect(await keys([metrics.zeroOneLoss(), metrics.accuracy, losses.meanAbsoluteError()])).toEqual([
    'loss',
    'zeroOneLoss',
    'accuracy',
    'meanAbsoluteError',
  ]);
  function distance(yTrue: SymbolicTensor, yPred: SymbolicTensor) {
    return ops.abs(ops.sub(yTrue, yPred));
  }
  expect(await keys(['accuracy', 'accuracy', distance])).toEqual(['loss', 'accuracy', 'accuracy_1', 'distance']);
});

test('losses and metrics of one’s own: vectors, scalars, labels', async () => {
  const { x, labels, oneHot } = quadrants(50);
  const net = classifier();
  const weights = net.getWeights();
  const fitted = async (loss: unknown, y: Float32Array | Int32Array) => {
    net.setWeights(weights);
    net.compile({ optimizer: 'sgd', loss: loss as never });
    const { history } = await net.fit(x, y, { batchSize: 16, epochs: 2, shuffle: false });
    return [...history.loss, ...net.getWeights().flatMap((weight) => [...weight.dataSync()])];
  };
  const expected = await fitted('meanSquaredError', oneHot);
  close(await fitted((t: SymbolicTensor, p: SymbolicTensor) => ops.square(ops.sub(t, p)), oneHot), expected);
  close(await fitted((t: SymbolicTensor, p: SymbolicTensor) => ops.mean(ops.square(ops.sub(t, p))), oneHot), expected);
  close(
    await fitted((t: SymbolicTensor, p: SymbolicTensor) => ops.square(ops.sub(ops.oneHot(t, 2), p)), labels),
    expected,
  );
});

test('data in every form gives the same run', async () => {
  const x = Int32Array.from({ length: 60 }, (_, i) => ((i * 37) % 11) - 5);
  const y = Int32Array.from({ length: 20 }, (_, i) => i % 3);
  const net = sequential([layers.dense({ units: 3, activation: 'softmax', inputShape: [3] })]);
  const weights = net.getWeights();
  const run = async (inputs: unknown, targets: unknown) => {
    seed(9);
    net.setWeights(weights);
    net.compile({ optimizer: 'sgd', loss: 'sparseCategoricalCrossentropy' });
    await net.fit(inputs as never, targets as never, { epochs: 3, batchSize: 8 });
    return net.getWeights().flatMap((weight) => [...weight.dataSync()]);
  };
  const expected = await run(x, y);
  const padded = new Float32Array(64);
  padded.set(x, 4);
  const nested = rowsOf(Float32Array.from(x), 3);
  expect(await run(Float32Array.from(x), Uint8Array.from(y))).toEqual(expected);
  expect(await run(Float64Array.from(x), Float32Array.from(y))).toEqual(expected);
  expect(await run(padded.subarray(4), [...y])).toEqual(expected);
  expect(
    await run(
      nested,
      [...y].map((label) => [label]),
    ),
  ).toEqual(expected);
  expect(await run(tensor(x, [20, 3]), tensor(y))).toEqual(expected);
  expect(await run(tensor(Float32Array.from(x), [20, 3]), Float64Array.from(y))).toEqual(expected);
  const bytes = Uint8Array.from(x, (value) => value + 5);
  expect(await run(bytes, y)).toEqual(await run(Float32Array.from(bytes), y));
});

test('a batch larger than the data is one partial batch', async () => {
  const { x, oneHot } = quadrants(10);
  const [small, large] = [classifier(), classifier()];
  large.setWeights(small.getWeights());
  const a = await small.fit(x, oneHot, { batchSize: 10, shuffle: false, epochs: 3 });
  const b = await large.fit(x, oneHot, { batchSize: 1000, shuffle: false, epochs: 3 });
  expect(b.history).toEqual(a.history);
});

test('shuffling: another order in each epoch, none without it', async () => {
  const seen = async (shuffle: boolean) => {
    const x = Float32Array.from({ length: 12 }, (_, i) => i);
    const net = sequential([layers.dense({ units: 1, useBias: false, inputShape: [1] })]);
    net.setWeights([[[1]]]);
    net.compile({ optimizer: optimizers.sgd({ learningRate: 0 }), loss: (_, p) => p });
    const order: number[][] = [];
    let total = 0;
    await net.fit(x, x, {
      batchSize: 1,
      epochs: 3,
      shuffle,
      callbacks: [
        {
          onEpochBegin: () => {
            order.push([]);
            total = 0;
          },
          onTrainBatchEnd: (batch, logs) => {
            order.at(-1)!.push(Math.round(logs.loss * (batch + 1) - total));
            total = logs.loss * (batch + 1);
          },
        },
      ],
    });
    return order;
  };
  const sorted = Array.from({ length: 12 }, (_, i) => i);
  expect(await seen(false)).toEqual([sorted, sorted, sorted]);
  seed(1);
  const [first, second, third] = await seen(true);
  for (const order of [first, second, third]) expect([...order].sort((a, b) => a - b)).toEqual(sorted);
  expect(first).not.toEqual(sorted);
  expect(second).not.toEqual(first);
  expect(third).not.toEqual(second);
});

test('initialEpoch and stepsPerEpoch', async () => {
  const { x, oneHot } = quadrants(64);
  const net = classifier();
  const resumed = await net.fit(x, oneHot, { initialEpoch: 2, epochs: 5 });
  expect(resumed.epoch).toEqual([2, 3, 4]);
  expect((await net.fit(x, oneHot, { initialEpoch: 3, epochs: 3 })).epoch).toEqual([]);
  const steps: number[] = [];
  const { history } = await net.fit(x, oneHot, {
    batchSize: 8,
    stepsPerEpoch: 3,
    epochs: 4,
    callbacks: [{ onEpochBegin: () => steps.push(0), onTrainBatchEnd: () => steps.push(steps.pop()! + 1) }],
  });
  // Eight batches a pass: 3 + 3 + 2 (the pass ends, with a warning) + 3.
  expect(steps).toEqual([3, 3, 2, 3]);
  expect(history.loss).toHaveLength(4);
});

test('epochs of stepsPerEpoch go on where the last one ended', async () => {
  const x = Float32Array.from({ length: 8 }, (_, i) => i);
  const net = sequential([layers.dense({ units: 1, useBias: false, inputShape: [1] })]);
  net.setWeights([[[1]]]);
  net.compile({ optimizer: optimizers.sgd({ learningRate: 0 }), loss: (_, p) => p });
  const { history } = await net.fit(x, x, { batchSize: 2, stepsPerEpoch: 2, epochs: 3, shuffle: false });
  close(history.loss, [1.5, 5.5, 1.5]);
});

test('setLearningRate takes effect during a fit', async () => {
  const { x, oneHot } = quadrants(64);
  const net = classifier();
  const losses: number[] = [];
  await net.fit(x, oneHot, {
    epochs: 4,
    shuffle: false,
    callbacks: [
      {
        onEpochEnd: (epoch, logs) => {
          losses.push(logs.loss);
          if (epoch === 1) net.setLearningRate(0);
        },
      },
    ],
  });
  expect(losses[1]).not.toBe(losses[0]);
  expect(losses[3]).toBe(losses[2]);
});

test('an optimizer goes on counting over several fits', async () => {
  const { x, oneHot } = quadrants(64);
  const optimizer = optimizers.adam();
  const net = classifier();
  net.compile({ optimizer, loss: 'categoricalCrossentropy' });
  await net.fit(x, oneHot, { batchSize: 16, epochs: 2 });
  expect(optimizer.iterations).toBe(8);
  await net.trainOnBatch(x, oneHot);
  expect(optimizer.iterations).toBe(9);
});

test('dropout trains with one mask per step and evaluates without', async () => {
  seed(2);
  const net = sequential([
    layers.dropout({ rate: 0.5, inputShape: [1000] }),
    layers.dense({ units: 1, useBias: false }),
  ]);
  net.setWeights([new Float32Array(1000).fill(1)]);
  net.compile({ optimizer: optimizers.sgd({ learningRate: 0 }), loss: (_, p) => p });
  const ones = tensor(new Float32Array(4000).fill(1), [4, 1000]);
  const { history } = await net.fit(ones, [0, 0, 0, 0], { batchSize: 1, epochs: 2 });
  expect(history.loss[0]).not.toBe(1000);
  expect(Math.abs(history.loss[0] - 1000)).toBeLessThan(100);
  expect(history.loss[1]).not.toBe(history.loss[0]);
  expect((await net.evaluate(ones, [0, 0, 0, 0])).loss).toBe(1000);
  expect([...(await net.predict(ones)).dataSync()]).toEqual([1000, 1000, 1000, 1000]);
});
