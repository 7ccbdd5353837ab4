// sampleWeight and classWeight: what they mean, where they come from, and what is refused.
import { layers, losses, type Model, ops, optimizers, regularizers, seed, sequential, tensor } from 'downhill';
import { describe, expect, test } from 'vitest';
import { classifier, close, fails, quadrants, randomArray } from '../support.js';

const rows = 50;
const { x, oneHot, labels } = quadrants(rows);
const weights = Float32Array.from(randomArray(rows, 3, 0, 2), (value, i) => (i % 6 === 0 ? 0 : value));
const sum = (values: ArrayLike<number>) => Array.from(values).reduce((total, value) => total + value, 0);

function weightsAfter(net: Model): number[] {
  return net.getWeights().flatMap((weight) => [...weight.dataSync()]);
}

async function trained(
  fit: (net: Model) => Promise<unknown>,
  loss = 'categoricalCrossentropy',
  metrics = ['accuracy'],
) {
  seed(11);
  const net = classifier(metrics, loss, 'sgd');
  await fit(net);
  return weightsAfter(net);
}

test('the loss is Σ w·L / n, metrics count each row once, weighted ones by w', async () => {
  const net = classifier();
  net.compile({
    optimizer: 'sgd',
    loss: 'categoricalCrossentropy',
    metrics: ['accuracy'],
    weightedMetrics: ['accuracy', 'mse'],
  });
  const p = net.predict(x);
  const each = losses
    .categoricalCrossentropy()
    .perExample(tensor(oneHot, [rows, 2]), await p)
    .dataSync();
  const logs = await net.evaluate(x, oneHot, { sampleWeight: weights, batchSize: 7 });
  close(logs.loss, sum(Array.from(each, (value, i) => value * weights[i])) / rows);
  const predicted = (await p).dataSync();
  const correct = Array.from(labels, (label, i) => Number((predicted[2 * i + 1] > predicted[2 * i] ? 1 : 0) === label));
  close(logs.accuracy, sum(correct) / rows, 1e-9);
  close(logs.weighted_accuracy, sum(correct.map((hit, i) => hit * weights[i])) / sum(weights), 1e-6);
  expect(Object.keys(logs)).toEqual(['loss', 'accuracy', 'weighted_accuracy', 'mse']);
});

test('whole weights are copies of rows, zeros leave rows out', async () => {
  const counts = Array.from(labels, (_, i) => i % 3);
  const copies = counts.flatMap((count, i) => new Array<number>(count).fill(i));
  const pick = (values: Float32Array) => Float32Array.from(copies.flatMap((i) => [values[2 * i], values[2 * i + 1]]));
  // One batch each; the divisor is the number of rows.
  const scale = copies.length / rows;
  seed(4);
  const [a, b] = [classifier(), classifier()];
  a.compile({ optimizer: optimizers.sgd({ learningRate: 0.1 }), loss: 'categoricalCrossentropy' });
  b.compile({ optimizer: optimizers.sgd({ learningRate: 0.1 * scale }), loss: 'categoricalCrossentropy' });
  b.setWeights(a.getWeights());
  for (let i = 0; i < 5; i++) {
    await a.trainOnBatch(x, oneHot, { sampleWeight: counts });
    await b.trainOnBatch(pick(x), pick(oneHot));
  }
  close(weightsAfter(a), weightsAfter(b), 1e-6);
});

test('weights of 1 change nothing, to the bit; all zeros train nothing', async () => {
  const plain = await trained((net) => net.fit(x, oneHot, { epochs: 3 }));
  const ones = new Float32Array(rows).fill(1);
  expect(await trained((net) => net.fit(x, oneHot, { epochs: 3, sampleWeight: ones }))).toEqual(plain);
  expect(await trained((net) => net.fit(x, oneHot, { epochs: 3, classWeight: { 0: 1 } }))).toEqual(plain);
  const before = await trained(async () => {});
  let logs = {};
  const zeros = new Uint8Array(rows);
  const after = await trained(async (net) => {
    net.compile({ optimizer: 'sgd', loss: 'categoricalCrossentropy', weightedMetrics: ['accuracy', 'auc'] });
    logs = (await net.fit(x, oneHot, { sampleWeight: zeros })).history;
  });
  expect(after).toEqual(before);
  expect(logs).toEqual({ loss: [0], accuracy: [0], auc: [0] });
});

test('the penalty of a regularizer has no weight', async () => {
  const kernelRegularizer = regularizers.l2({ l2: 0.5 });
  const net = sequential([layers.dense({ units: 1, inputShape: [2], kernelRegularizer })]);
  net.compile({ optimizer: 'sgd', loss: 'mse' });
  const [kernel] = net.getWeights();
  const penalty = 0.5 * sum(Array.from(kernel.dataSync(), (value) => value * value));
  close((await net.evaluate(x, labels, { sampleWeight: new Float32Array(rows), batchSize: 8 })).loss, penalty);
});

describe('every form of weights and targets', () => {
  const fit =
    (options: object, y: unknown = oneHot) =>
    (net: Model) =>
      net.fit(x, y as never, { epochs: 2, batchSize: 16, ...options });

  test('arrays, nested ones, Tensors, columns', async () => {
    const expected = await trained(fit({ sampleWeight: weights }));
    expect(expected).not.toEqual(await trained(fit({})));
    for (const sampleWeight of [
      [...weights],
      Array.from(weights, (value) => [value]),
      tensor(weights),
      tensor(weights, [rows, 1]),
      Float64Array.from(weights),
    ])
      expect(await trained(fit({ sampleWeight }))).toEqual(expected);
  });

  test('classWeight is the sampleWeight of each row’s class, and is multiplied with it', async () => {
    const classWeight = { 1: 2.5 };
    const byRow = Float32Array.from(labels, (label) => (label === 1 ? 2.5 : 1));
    const expected = await trained(fit({ sampleWeight: byRow }));
    expect(await trained(fit({ classWeight }))).toEqual(expected);
    expect(await trained(fit({ classWeight: [1, 2.5] }))).toEqual(expected);
    expect(await trained(fit({ classWeight }, tensor(oneHot, [rows, 2])))).toEqual(expected);
    const sparse = 'sparseCategoricalCrossentropy';
    close(await trained(fit({ classWeight }, labels), sparse), expected, 1e-6);
    const both = byRow.map((value, i) => value * weights[i]);
    expect(await trained(fit({ classWeight, sampleWeight: weights }))).toEqual(
      await trained(fit({ sampleWeight: both })),
    );
  });

  test('batches bring theirs', async () => {
    const batches = (size: number, withWeights: boolean) => {
      const all: unknown[] = [];
      for (let i = 0; i < rows; i += size) {
        const pair = [x.subarray(2 * i, 2 * (i + size)), oneHot.subarray(2 * i, 2 * (i + size))];
        all.push(withWeights ? [...pair, weights.subarray(i, i + size)] : pair);
      }
      return all as never;
    };
    const arrays = (options: object) =>
      trained((net) => net.fit(x, oneHot, { batchSize: 16, shuffle: false, ...options }));
    const streamed = (withWeights: boolean, options: object = {}) =>
      trained((net) => net.fit(batches(16, withWeights), { ...options }));
    expect(await streamed(true)).toEqual(await arrays({ sampleWeight: weights }));
    const classWeight = { 0: 3 };
    expect(await streamed(false, { classWeight })).toEqual(await arrays({ classWeight }));
    expect(await streamed(true, { classWeight })).toEqual(await arrays({ classWeight, sampleWeight: weights }));
    const net = classifier();
    const whole = await net.evaluate(x, oneHot, { sampleWeight: weights });
    close((await net.evaluate(batches(16, true))).loss, whole.loss, 1e-6);
    await fails('INVALID_ARGUMENT', /sampleWeight needs arrays/, () =>
      net.fit(batches(16, true), { sampleWeight: weights }),
    );
    await fails('INVALID_ARGUMENT', /sampleWeight needs arrays/, () =>
      net.evaluate(batches(16, true), { sampleWeight: weights }),
    );
    await fails('INVALID_ARGUMENT', /\[x, y, sampleWeight\]/, () => net.fit([[x, oneHot, weights, 1]] as never));
  });

  test('validation: data of three, and no classWeight', async () => {
    const net = classifier();
    const evaluated = await net.evaluate(x, oneHot, { sampleWeight: weights });
    const frozen = { validationData: [x, oneHot, weights] as const, classWeight: { 0: 9 } };
    net.setLearningRate(0);
    close((await net.fit(x, oneHot, frozen)).history.val_loss[0], evaluated.loss, 1e-6);
    const split = await net.fit(x, oneHot, { validationSplit: 0.4, sampleWeight: weights, classWeight: { 0: 9 } });
    const rest = { sampleWeight: weights.subarray(30) };
    close(split.history.val_loss[0], (await net.evaluate(x.subarray(60), oneHot.subarray(60), rest)).loss, 1e-6);
    // Whole groups are held back: the even rows train, with their classWeight.
    const groups = Int32Array.from(labels, (_, i) => i % 2);
    const grouped = { validationSplit: 0.5, groups, sampleWeight: weights, classWeight: { 0: 9 }, shuffle: false };
    const { history } = await net.fit(x, oneHot, grouped);
    const every = (odd: number) => (_: number, i: number) => i % 2 === odd;
    const pick = (odd: number) => ({
      x: Float32Array.from({ length: rows }, (_, i) => x[4 * Math.floor(i / 2) + 2 * odd + (i % 2)]),
      y: Float32Array.from({ length: rows }, (_, i) => oneHot[4 * Math.floor(i / 2) + 2 * odd + (i % 2)]),
      sampleWeight: weights.filter(every(odd)),
      labels: labels.filter(every(odd)),
    });
    const [even, odd] = [pick(0), pick(1)];
    close(history.val_loss[0], (await net.evaluate(odd.x, odd.y, { sampleWeight: odd.sampleWeight })).loss, 1e-6);
    const byClass = even.sampleWeight.map((value, i) => value * (even.labels[i] === 0 ? 9 : 1));
    close(history.loss[0], (await net.evaluate(even.x, even.y, { sampleWeight: byClass })).loss, 1e-6);
  });
});

describe('outputs with more axes', () => {
  const times = 3;
  const wide = randomArray(rows * times * 2, 21);
  const targets = Int32Array.from({ length: rows * times }, (_, i) => (i * 7) % 2);
  const perStep = randomArray(rows * times, 22, 0, 2);
  function net(): Model {
    const made = sequential([
      layers.reshape({ targetShape: [times, 2], inputShape: [times * 2] }),
      layers.activation({ activation: 'softmax' }),
    ]);
    made.compile({ optimizer: 'sgd', loss: 'sparseCategoricalCrossentropy', weightedMetrics: ['accuracy'] });
    return made;
  }
  const each = async () => {
    const p = (await net().predict(wide)).dataSync();
    return Array.from(targets, (label, i) => -Math.log(p[2 * i + label]));
  };

  test('a weight for each step, or for each row', async () => {
    const loss = await each();
    const mean = (of: (i: number) => number) => sum(loss.map((value, i) => value * of(i))) / loss.length;
    close(
      (await net().evaluate(wide, targets, { sampleWeight: perStep })).loss,
      mean((i) => perStep[i]),
      1e-6,
    );
    const nested = Array.from({ length: rows }, (_, i) => [...perStep.subarray(times * i, times * (i + 1))]);
    close(
      (await net().evaluate(wide, targets, { sampleWeight: nested, batchSize: 9 })).loss,
      mean((i) => perStep[i]),
      1e-6,
    );
    const byRow = { sampleWeight: weights };
    close(
      (await net().evaluate(wide, targets, byRow)).loss,
      mean((i) => weights[Math.floor(i / times)]),
      1e-6,
    );
  });

  test('classes of each step', async () => {
    const loss = await each();
    const model = net();
    const options = { sampleWeight: weights, classWeight: { 1: 4 } };
    const { loss: found } = await model.trainOnBatch(wide, targets, options);
    const expected =
      sum(loss.map((value, i) => value * (targets[i] ? 4 : 1) * weights[Math.floor(i / times)])) / loss.length;
    close(found, expected, 1e-6);
  });
});

describe('what is refused', () => {
  const net = classifier();
  const fit = (options: object) => () => net.fit(x, oneHot, options as never);

  test('weights', async () => {
    await fails(
      'SHAPE_MISMATCH',
      /sampleWeight.*\[50\].*received 49 values/,
      fit({ sampleWeight: weights.subarray(1) }),
    );
    await fails(
      'SHAPE_MISMATCH',
      /sampleWeight.*\[50\].*received \[50, 2\]/,
      fit({ sampleWeight: tensor(oneHot, [rows, 2]) }),
    );
    await fails('SHAPE_MISMATCH', /received \[\]/, fit({ sampleWeight: 3 }));
    await fails('INVALID_ARGUMENT', /sampleWeight/, fit({ sampleWeight: 'balanced' }));
    const one = (value: number) => Float64Array.from(weights, (weight, i) => (i === 7 ? value : weight));
    await fails('OUT_OF_RANGE', /sampleWeight\[row 7\] is -0\.5.*at least 0/, fit({ sampleWeight: one(-0.5) }));
    for (const value of [Number.NaN, Number.POSITIVE_INFINITY])
      await fails('NON_FINITE', /sampleWeight\[row 7\]/, fit({ sampleWeight: one(value), onNonFinite: 'ignore' }));
    await fails('OUT_OF_RANGE', /row 7/, fit({ sampleWeight: tensor(Float32Array.from(one(-1))) }));
    await fails('OUT_OF_RANGE', /validationData\[2\]\[row 7\]/, fit({ validationData: [x, oneHot, one(-1)] }));
    await fails('INVALID_ARGUMENT', /validationData must be/, fit({ validationData: [x] }));
    await fails('UNKNOWN_OPTION', /"sampleWeights".*sampleWeight/, fit({ sampleWeights: weights }));
    await fails('UNKNOWN_OPTION', /"classWeights"/, () => net.trainOnBatch(x, oneHot, { classWeights: {} } as never));
  });

  test('classes', async () => {
    await fails('OUT_OF_RANGE', /classWeight: "2" is no class.*0 to 1/, fit({ classWeight: { 2: 1 } }));
    await fails('OUT_OF_RANGE', /"one" is no class/, fit({ classWeight: { one: 1 } }));
    await fails('OUT_OF_RANGE', /weight of class 1 .*received -1/, fit({ classWeight: { 1: -1 } }));
    await fails('OUT_OF_RANGE', /weight of class 0 .*NaN/, fit({ classWeight: { 0: Number.NaN } }));
    await fails('INVALID_ARGUMENT', /weight of class 0/, fit({ classWeight: { 0: '1' } }));
    await fails('INVALID_ARGUMENT', /classWeight must be an object/, fit({ classWeight: 'balanced' }));
  });

  test('a loss that gives no values by row', async () => {
    const made = classifier();
    made.compile({ optimizer: 'sgd', loss: (t, p) => ops.mean(ops.square(ops.sub(t, p))) });
    await made.fit(x, oneHot);
    await fails('INVALID_ARGUMENT', /one value per example/, () => made.fit(x, oneHot, { sampleWeight: weights }));
    made.compile({ optimizer: 'sgd', loss: (t, p) => ops.square(ops.sub(t, p)) });
    const { history } = await made.fit(x, oneHot, { sampleWeight: new Float32Array(rows), shuffle: false });
    expect(history.loss).toEqual([0]);
  });
});
