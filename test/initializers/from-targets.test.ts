// Biases from the marginal statistics of the targets.
import { data, initializers, layers, sequential, tensor } from 'downhill';
import { describe, expect, it, test } from 'vitest';
import { codeOf } from '../errors.js';

const { fromTargets } = initializers;
const values = (...args: Parameters<typeof fromTargets>) => fromTargets(...args).getConfig().value as number[];

function expectValues(actual: number[], expected: number[]): void {
  expect(actual.length).toBe(expected.length);
  for (const [i, value] of expected.entries()) expect(actual[i]).toBeCloseTo(value, 10);
}

const labels = Int32Array.of(0, 2, 1, 2, 2, 0, 2, 2);
const logs = [2 / 8, 1 / 8, 5 / 8].map(Math.log);

describe('softmax: log p of each class', () => {
  it.each<[string, Parameters<typeof fromTargets>[0]]>([
    ['labels', labels],
    ['labels as numbers', [...labels]],
    ['labels [n, 1]', [...labels].map((label) => [label])],
    ['a tensor of labels', tensor(labels)],
    ['one-hot rows', data.toCategorical(labels, 3)],
    [
      'probabilities',
      [...labels].flatMap((label) => [0.5, 1].map((p) => [0, 1, 2].map((c) => (c === label ? 1 : p === 1 ? 0 : 0)))),
    ],
  ])('%s', (_, y) => {
    expectValues(values(y), logs);
  });

  it('soft targets count by their probability', () => {
    expectValues(
      values([
        [0.5, 0.25, 0.25],
        [0.1, 0.8, 0.1],
      ]),
      [0.3, 0.525, 0.175].map(Math.log),
    );
  });

  it('smooths where a class is absent, or as asked', () => {
    expectValues(values(labels, { numClasses: 4 }), [3 / 12, 2 / 12, 6 / 12, 1 / 12].map(Math.log));
    expectValues(values(labels, { smoothing: 0.5 }), [2.5 / 9.5, 1.5 / 9.5, 5.5 / 9.5].map(Math.log));
    expectValues(
      values(labels, { numClasses: 4, smoothing: 0.25 }),
      [2.25 / 9, 1.25 / 9, 5.25 / 9, 0.25 / 9].map(Math.log),
    );
    expect(codeOf(() => fromTargets(labels, { numClasses: 4, smoothing: 0 }))).toBe('OUT_OF_RANGE');
  });

  it('zeros and ones are two classes where the activation or numClasses says so', () => {
    expectValues(values([0, 1, 1, 1], { activation: 'softmax' }), [Math.log(0.25), Math.log(0.75)]);
    expectValues(values([0, 1, 1, 1], { numClasses: 2 }), [Math.log(0.25), Math.log(0.75)]);
  });
});

describe('sigmoid: the logit of p', () => {
  it('of each output', () => {
    expectValues(values([0, 1, 1, 1]), [Math.log(3)]);
    expectValues(values([[0], [1], [1], [1]]), [Math.log(3)]);
    expectValues(
      values([
        [1, 1],
        [0, 1],
        [0, 1],
        [0, 0],
      ]),
      [Math.log(1 / 3), Math.log(3)],
    ); // prettier-ignore
    expectValues(values([0.2, 0.6], { activation: 'sigmoid' }), [Math.log(0.4 / 0.6)]);
  });

  it('smooths where all targets are alike', () => {
    expectValues(
      values([
        [1, 1],
        [1, 0],
        [1, 0],
      ]),
      [Math.log(4 / 1), Math.log(1 / 2)],
    ); // prettier-ignore
    expectValues(values([1, 1, 0], { smoothing: 2 }), [Math.log(4 / 3)]);
    expect(codeOf(() => fromTargets([1, 1], { smoothing: 0 }))).toBe('OUT_OF_RANGE');
  });
});

test('linear: the mean of each output', () => {
  expectValues(values([1.5, 2.5, -1]), [1]);
  expectValues(
    values([
      [1, 10],
      [2, -20],
    ]),
    [1.5, -5],
  ); // prettier-ignore
  expectValues(values([0, 2, 1], { activation: 'linear' }), [1]);
});

it.each<[string, () => unknown, string]>([
  ['no targets', () => fromTargets([]), 'INVALID_ARGUMENT'],
  ['NaN', () => fromTargets([0, Number.NaN]), 'NON_FINITE'],
  ['fractions as labels', () => fromTargets([0.5, 1], { activation: 'softmax' }), 'INVALID_ARGUMENT'],
  ['a label out of range', () => fromTargets([0, 3], { numClasses: 3 }), 'LABEL_OUT_OF_RANGE'],
  ['rows that do not sum to 1', () => fromTargets([[1, 1]], { activation: 'softmax' }), 'INVALID_ARGUMENT'],
  ['rows of another length', () => fromTargets([[0, 1]], { numClasses: 3 }), 'SHAPE_MISMATCH'],
  ['values outside [0, 1] for a sigmoid', () => fromTargets([2], { activation: 'sigmoid' }), 'INVALID_ARGUMENT'],
  ['an unknown option', () => fromTargets([1], { activtion: 'sigmoid' } as never), 'UNKNOWN_OPTION'],
  ['an unknown activation', () => fromTargets([1], { activation: 'relu' as never }), 'INVALID_ARGUMENT'],
  ['a negative smoothing', () => fromTargets([1], { smoothing: -1 }), 'OUT_OF_RANGE'],
])('refuses %s', (_, body, code) => {
  expect(codeOf(body)).toBe(code);
});

test('a network begins with the entropy of the classes', async () => {
  const net = sequential([
    layers.dense({
      units: 3,
      activation: 'softmax',
      inputShape: [2],
      kernelInitializer: 'zeros',
      biasInitializer: fromTargets(labels),
    }),
  ]);
  net.compile({ optimizer: 'sgd', loss: 'sparseCategoricalCrossentropy' });
  const { loss } = await net.evaluate(
    Array.from(labels, (label) => [label, 1]),
    labels,
    { verbose: 0 },
  );
  const entropy = -[2 / 8, 1 / 8, 5 / 8].reduce((sum, p) => sum + p * Math.log(p), 0);
  expect(loss).toBeCloseTo(entropy, 6);
});
