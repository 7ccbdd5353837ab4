// Losses against their formulas in double precision, on concrete and symbolic values.
import { compile, grad, losses, ops, type SymbolicTensor, type Tensor, tensor } from 'downhill';
import { resolveLoss } from '../../lib/losses/resolve.js';
import { describe, expect, test } from 'vitest';
import { close, randomArray, throwsAtOnce } from '../support.js';

const classes = 5;
const rows = 7;
const logits = Array.from({ length: rows }, (_, i) => [...randomArray(classes, i + 1, -3, 3)]);
const softmax = (row: number[]) => {
  const total = row.reduce((sum, z) => sum + Math.exp(z), 0);
  return row.map((z) => Math.exp(z) / total);
};
const probabilities = logits.map(softmax);
const labels = Array.from({ length: rows }, (_, i) => (3 * i) % classes);
const oneHot = labels.map((label) => Array.from({ length: classes }, (_, c) => (c === label ? 1 : 0)));
const smooth = (target: number[], s: number) => target.map((t) => t * (1 - s) + s / classes);
const crossEntropy = (t: number[], p: number[]) => -t.reduce((sum, tc, c) => sum + tc * Math.log(p[c]), 0);
const mean = (values: number[]) => values.reduce((sum, value) => sum + value, 0) / values.length;

const binaryTargets = oneHot;
const sigmoid = (z: number) => 1 / (1 + Math.exp(-z));
const binary = (t: number, p: number) => -(t * Math.log(p) + (1 - t) * Math.log(1 - p));

interface Case {
  name: string;
  loss: losses.Loss;
  yTrue: number[] | number[][];
  yPred: number[][];
  expected: number[];
}

const cases: Case[] = [
  {
    name: 'categoricalCrossentropy',
    loss: losses.categoricalCrossentropy(),
    yTrue: oneHot,
    yPred: probabilities,
    expected: oneHot.map((t, i) => crossEntropy(t, probabilities[i])),
  },
  {
    name: 'categoricalCrossentropy normalises',
    loss: losses.categoricalCrossentropy(),
    yTrue: oneHot,
    yPred: probabilities.map((row) => row.map((p) => 3 * p)),
    expected: oneHot.map((t, i) => crossEntropy(t, probabilities[i])),
  },
  {
    name: 'categoricalCrossentropy from logits, smoothed',
    loss: losses.categoricalCrossentropy({ fromLogits: true, labelSmoothing: 0.2 }),
    yTrue: oneHot,
    yPred: logits,
    expected: oneHot.map((t, i) => crossEntropy(smooth(t, 0.2), probabilities[i])),
  },
  {
    name: 'sparseCategoricalCrossentropy',
    loss: losses.sparseCategoricalCrossentropy(),
    yTrue: labels,
    yPred: probabilities,
    expected: labels.map((label, i) => -Math.log(probabilities[i][label])),
  },
  {
    name: 'sparseCategoricalCrossentropy from logits, labels as a column',
    loss: losses.sparseCategoricalCrossentropy({ fromLogits: true }),
    yTrue: labels.map((label) => [label]),
    yPred: logits,
    expected: labels.map((label, i) => -Math.log(probabilities[i][label])),
  },
  {
    name: 'binaryCrossentropy',
    loss: losses.binaryCrossentropy(),
    yTrue: binaryTargets,
    yPred: logits.map((row) => row.map(sigmoid)),
    expected: binaryTargets.map((t, i) => mean(t.map((tc, c) => binary(tc, sigmoid(logits[i][c]))))),
  },
  {
    name: 'binaryCrossentropy from logits, smoothed',
    loss: losses.binaryCrossentropy({ fromLogits: true, labelSmoothing: 0.1 }),
    yTrue: binaryTargets,
    yPred: logits,
    expected: binaryTargets.map((t, i) => mean(t.map((tc, c) => binary(tc * 0.9 + 0.05, sigmoid(logits[i][c]))))),
  },
  {
    name: 'meanSquaredError',
    loss: losses.meanSquaredError(),
    yTrue: oneHot,
    yPred: logits,
    expected: oneHot.map((t, i) => mean(t.map((tc, c) => (tc - logits[i][c]) ** 2))),
  },
  {
    name: 'meanAbsoluteError',
    loss: losses.meanAbsoluteError(),
    yTrue: oneHot,
    yPred: logits,
    expected: oneHot.map((t, i) => mean(t.map((tc, c) => Math.abs(tc - logits[i][c])))),
  },
];

describe.each(cases)('$name', ({ loss, yTrue, yPred, expected }) => {
  test('per example and mean', () => {
    const each = loss.perExample(yTrue, yPred);
    expect(each.shape).toEqual([rows]);
    close(each, expected);
    const total = loss(yTrue, yPred);
    expect(total.shape).toEqual([]);
    close(total, [mean(expected)]);
  });

  test('symbolic', async () => {
    const traced = compile((t: SymbolicTensor, p: SymbolicTensor) => [loss(t, p), loss.perExample(t, p)] as const);
    const [total, each] = (await traced(yTrue, yPred)) as unknown as [unknown, unknown];
    close(total, [mean(expected)]);
    close(each, expected);
  });
});

test('directly behind softmax and sigmoid, losses of saturated outputs stay exact', async () => {
  const far = [[200, -200]];
  const viaSoftmax = compile((z: SymbolicTensor) => losses.categoricalCrossentropy()([[0, 1]], ops.softmax(z)));
  close(await viaSoftmax(far), [400]);
  const viaSigmoid = compile((z: SymbolicTensor) => losses.binaryCrossentropy()([[0]], ops.sigmoid(z)));
  close(await viaSigmoid([[80]]), [80]);
  // Probabilities alone are kept away from 0, as in Keras.
  close(losses.categoricalCrossentropy()([[0, 1]], [[1, 0]]), [-Math.log(1e-7)]);
});

test('outputs of rank 3: the mean over all but the batch', () => {
  const p = tensor(randomArray(24, 3), [2, 3, 4]);
  const t = tensor(randomArray(24, 4), [2, 3, 4]);
  const [pv, tv] = [p.dataSync(), t.dataSync()];
  const expected = [0, 1].map((i) =>
    mean(Array.from({ length: 12 }, (_, j) => (pv[12 * i + j] - tv[12 * i + j]) ** 2)),
  );
  close(losses.meanSquaredError().perExample(t, p), expected);
});

test('targets [n] for outputs [n, 1]', () => {
  close(losses.meanSquaredError().perExample([1, 2], [[0], [0]]), [1, 4]);
  close(losses.binaryCrossentropy().perExample([1, 0], [[0.9], [0.2]]), [-Math.log(0.9), -Math.log(0.8)]);
});

test('shapes that do not fit say so', () => {
  throwsAtOnce('SHAPE_MISMATCH', /meanSquaredError.*\[2, 3\].*\[2, 4\]/, () =>
    losses.meanSquaredError()(tensor(new Float32Array(8), [2, 4]), tensor(new Float32Array(6), [2, 3])),
  );
  throwsAtOnce('SHAPE_MISMATCH', /sparse form/, () =>
    losses.categoricalCrossentropy()(
      [0, 1],
      [
        [0.5, 0.5],
        [0.1, 0.9],
      ],
    ),
  );
  throwsAtOnce('SHAPE_MISMATCH', /categorical form/, () =>
    losses.sparseCategoricalCrossentropy()(
      [
        [0, 1],
        [1, 0],
      ],
      [
        [0.5, 0.5],
        [0.1, 0.9],
      ],
    ),
  );
  throwsAtOnce('UNKNOWN_OPTION', /fromLogits/, () => losses.binaryCrossentropy({ from_logits: true } as never));
  throwsAtOnce('OUT_OF_RANGE', /labelSmoothing/, () => losses.categoricalCrossentropy({ labelSmoothing: 2 }));
});

test('by name, in Keras’s spellings', () => {
  const names = {
    mse: 'meanSquaredError',
    MAE: 'meanAbsoluteError',
    mape: 'meanAbsolutePercentageError',
    MSLE: 'meanSquaredLogarithmicError',
    kld: 'klDivergence',
    kl_divergence: 'klDivergence',
    KLDivergence: 'klDivergence',
    bce: 'binaryCrossentropy',
    log_cosh: 'logCosh',
    logcosh: 'logCosh',
    CategoricalHinge: 'categoricalHinge',
    squared_hinge: 'squaredHinge',
    binary_focal_crossentropy: 'binaryFocalCrossentropy',
    cosineSimilarity: 'cosineSimilarity',
  };
  for (const [name, label] of Object.entries(names)) expect(resolveLoss('loss', name).label).toBe(label);
  throwsAtOnce('UNKNOWN_NAME', /"hubber".*Did you mean "huber"/, () => resolveLoss('loss', 'hubber'));
  throwsAtOnce('UNKNOWN_NAME', /"Huuber"/, () => resolveLoss('loss', 'Huuber'));
});

test('logCosh neither overflows nor loses small errors', async () => {
  const of = (error: number) =>
    losses
      .logCosh()([[0]], [[error]])
      .dataSync()[0];
  for (const error of [1e-3, 1e-2, 0.05, 0.0999, 0.1, 0.1001, 0.5, 3]) {
    const exact = Math.log(Math.cosh(Math.fround(error)));
    expect(Math.abs(of(error) / exact - 1), `${error}`).toBeLessThan(1e-5);
    expect(of(-error)).toBe(of(error));
  }
  expect(of(1e-12) / 5e-25).toBeCloseTo(1, 5);
  expect(of(3e38)).toBeCloseTo(3e38, -33);
  const slope = await grad((p: Tensor) => losses.logCosh()([[0, 0, 0, 0]], p))(tensor([[0, 1e-4, -0.5, 1e30]]));
  close(
    slope,
    [0, 1e-4, Math.tanh(-0.5), 1].map((value) => value / 4),
    1e-7,
  ); // prettier-ignore
});

test('a vector of zeros is similar to nothing, and has no gradient', async () => {
  const zeros = tensor([
    [0, 0],
    [3, 4],
  ]); // prettier-ignore
  const targets = [
    [1, 1],
    [0, 0],
  ]; // prettier-ignore
  close(losses.cosineSimilarity().perExample(targets, zeros), [0, 0]);
  const slope = await grad((p: Tensor) => losses.cosineSimilarity()(targets, p))(zeros);
  close([...slope.dataSync()].slice(2), [0, 0], 0);
  expect([...slope.dataSync()].every(Number.isFinite)).toBe(true);
});

test('labels that do not count', () => {
  const loss = losses.sparseCategoricalCrossentropy({ fromLogits: true, ignoreClass: -7 });
  const given = labels.map((label, i) => (i % 2 ? -7 : label));
  const each = given.map((label, i) => (label < 0 ? 0 : -Math.log(probabilities[i][label])));
  close(loss.perExample(given, logits), each);
  close(loss(given, logits), [each.reduce((a, b) => a + b) / 4]);
});

test('options out of their range', () => {
  throwsAtOnce('OUT_OF_RANGE', /delta.*above 0; received 0/, () => losses.huber({ delta: 0 }));
  throwsAtOnce('OUT_OF_RANGE', /gamma.*at least 0/, () => losses.binaryFocalCrossentropy({ gamma: -1 }));
  throwsAtOnce('OUT_OF_RANGE', /alpha/, () => losses.binaryFocalCrossentropy({ alpha: 2 }));
  throwsAtOnce('OUT_OF_RANGE', /axis/, () => losses.categoricalCrossentropy({ axis: 0.5 }));
  throwsAtOnce('OUT_OF_RANGE', /ignoreClass/, () => losses.sparseCategoricalCrossentropy({ ignoreClass: 0.5 }));
  for (const axis of [0, -2, 2])
    throwsAtOnce('OUT_OF_RANGE', /axis .* of rank 2/, () => losses.cosineSimilarity({ axis })(oneHot, logits));
});

test('focal losses of what is surely right have a gradient, for every gamma', async () => {
  const cases: [ReturnType<typeof losses.huber>, number[][], number[][]][] = [
    [losses.categoricalFocalCrossentropy({ gamma: 0.5, fromLogits: true }), [[1, 0]], [[30, -30]]],
    [losses.categoricalFocalCrossentropy({ gamma: 0.5 }), [[1, 0]], [[1, 0]]],
    [losses.binaryFocalCrossentropy({ gamma: 0.5, fromLogits: true }), [[1]], [[200]]],
    [losses.binaryFocalCrossentropy({ gamma: 0.5 }), [[1]], [[1]]],
  ];
  for (const [loss, t, p] of cases) {
    const gradient = await grad((x: SymbolicTensor) => loss(t, x) as SymbolicTensor)(tensor(p));
    for (const value of await gradient.data()) expect(Math.abs(value)).toBeLessThan(1e-3);
  }
});

test('klDivergence of whole targets is that of the same as floats', async () => {
  const p = tensor([[0.25, 0.75]]);
  const whole = losses.klDivergence()(tensor([[0, 1]], [1, 2], 'int32'), p) as Tensor;
  const floats = losses.klDivergence()(tensor([[0, 1]]), p) as Tensor;
  expect(await whole.array()).toBe(await floats.array());
});
