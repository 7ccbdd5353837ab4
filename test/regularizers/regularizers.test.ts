import { layers, modelFromJSON, ops, regularizers, sequential, tensor } from 'downhill';
import { expect, test } from 'vitest';
import { close, throwsAtOnce } from '../support.js';

const w = [
  [1, -2],
  [3, 0.5],
];
const absolute = 6.5;
const squared = 14.25;

test('penalties', () => {
  const weights = tensor(w);
  close(regularizers.l1({ l1: 0.1 })(weights), [0.1 * absolute]);
  close(regularizers.l2({ l2: 0.1 })(weights), [0.1 * squared]);
  close(regularizers.l1l2({ l1: 0.1, l2: 0.2 })(weights), [0.1 * absolute + 0.2 * squared]);
  close(regularizers.l1()(weights), [0.01 * absolute]);
  close(regularizers.l2()(weights), [0.01 * squared]);
  close(regularizers.l1l2()(weights), [0]);
  throwsAtOnce('OUT_OF_RANGE', /l2 must be .* at least 0/, () => regularizers.l2({ l2: -1 }));
  throwsAtOnce('UNKNOWN_OPTION', /Did you mean "l2"/, () => regularizers.l2({ l3: 1 } as never));
});

const target = [[0, 0]];
const x = [[1, 1]];
const loss = (4 ** 2 + 1.5 ** 2) / 2;

function penalised(options: Partial<layers.DenseOptions>) {
  const net = sequential([layers.dense({ units: 2, inputShape: [2], useBias: false, ...options })]);
  net.setWeights([w]);
  net.compile({ optimizer: 'sgd', loss: 'meanSquaredError', metrics: ['meanSquaredError'] });
  return net;
}

test('losses contain them, in training and evaluation; metrics do not', async () => {
  const net = penalised({ kernelRegularizer: regularizers.l2({ l2: 0.1 }) });
  const evaluated = await net.evaluate(x, target);
  close([evaluated.loss, evaluated.meanSquaredError], [loss + 0.1 * squared, loss]);
  const trained = await net.trainOnBatch(x, target);
  close([trained.loss, trained.meanSquaredError], [loss + 0.1 * squared, loss]);
  // w − rate · (∂loss/∂w + 2 · l2 · w)
  const outputs = [4, -1.5];
  close(
    net.getWeights()[0],
    w.map((row) => row.map((value, j) => value - 0.01 * (outputs[j] + 0.2 * value))),
  );
});

test('by name, as a function, on the bias, several', async () => {
  close([(await penalised({ kernelRegularizer: 'l2' }).evaluate(x, target)).loss], [loss + 0.01 * squared]);
  const own = penalised({ kernelRegularizer: (weights) => ops.mul(ops.max(weights), 2) });
  close([(await own.evaluate(x, target)).loss], [loss + 6]);
  const net = sequential([
    layers.dense({ units: 2, inputShape: [2], kernelRegularizer: 'l1', biasRegularizer: regularizers.l2({ l2: 1 }) }),
  ]);
  net.setWeights([w, [2, -1]]);
  net.compile({ optimizer: 'sgd', loss: 'mae' });
  close([(await net.evaluate(x, [[6, -2.5]])).loss], [0.01 * absolute + 5]);
});

test('the mean over an epoch contains the penalty once, partial batches included', async () => {
  const net = penalised({ kernelRegularizer: regularizers.l2({ l2: 0.1 }) });
  const rows = 5;
  const { loss: found } = await net.evaluate(
    Array.from({ length: rows }, () => x[0]),
    Array.from({ length: rows }, () => target[0]),
    {
      batchSize: 3,
    },
  );
  expect(found).toBeCloseTo(loss + 0.1 * squared, 4);
});

test('orthogonal: the mean cosine of pairs', () => {
  const { orthogonal } = regularizers;
  close(
    orthogonal({ factor: 2 })(
      tensor([
        [3, 4],
        [0, 5],
      ]),
    ),
    [2 * 0.8],
  ); // prettier-ignore
  close(
    orthogonal({ factor: 2, mode: 'columns' })(
      tensor([
        [1, 1],
        [0, 1],
      ]),
    ),
    [2 * Math.SQRT1_2],
  ); // prettier-ignore
  close(
    orthogonal()(
      tensor([
        [1, 1],
        [-2, -2],
      ]),
    ),
    [0.01],
  ); // prettier-ignore
  close(
    orthogonal()(
      tensor([
        [1, 1],
        [0, 0],
      ]),
    ),
    [0],
  ); // prettier-ignore
  close(orthogonal()(tensor([[1, 2, 3]])), [0]);
  throwsAtOnce('SHAPE_MISMATCH', /matrices.*\[3\]/, () => orthogonal()(tensor([1, 2, 3])));
  throwsAtOnce('INVALID_ARGUMENT', /mode.*"rows", "columns"/, () => orthogonal({ mode: 'row' as never }));
  throwsAtOnce('OUT_OF_RANGE', /factor/, () => orthogonal({ factor: -1 }));
});

test('activity: a penalty on what a layer gives, per row, in training and evaluation, not in predictions', async () => {
  const half = (output: layers.Computed) => ops.mul(ops.sum(ops.abs(output)), 0.5);
  const net = penalised({ activityRegularizer: half });
  // x·W = (4, −1.5) in both rows.
  const rows = [x[0]!, x[0]!];
  const targets = [target[0]!, target[0]!];
  close([(await net.evaluate(rows, targets)).loss], [loss + 0.5 * 5.5]);
  close([(await net.trainOnBatch(rows, targets)).loss], [loss + 0.5 * 5.5]);
  close(
    net.getWeights()[0],
    w.map((row) => row.map((value, j) => value - 0.01 * ([4, -1.5][j]! + 0.5 * [1, -1][j]!))),
  );
  close(await penalised({ activityRegularizer: half }).predict(x), [4, -1.5]);
});

test('a penalty must be a scalar, wherever it stands', async () => {
  const vector = (value: layers.Computed) => ops.abs(value);
  for (const [options, text] of [
    [{ kernelRegularizer: vector }, /regularizer of dense\/kernel must return a scalar; it returned shape \[2, 2\]/],
    [{ activityRegularizer: vector }, /activityRegularizer of dense must return a scalar; it returned shape \[1, 2\]/],
    [{ activityRegularizer: () => 3 as never }, /it returned 3/],
  ] as const)
    await expect(penalised(options).evaluate(x, target)).rejects.toMatchObject({
      code: 'SHAPE_MISMATCH',
      message: expect.stringMatching(text),
    });
});

test('a layer of one’s own has an activityRegularizer too, and keeps it in configs', async () => {
  class Doubling extends layers.Layer {
    override readonly type = 'Doubling';
    constructor(options?: layers.LayerOptions) {
      super('doubling', options);
    }
    override computeOutputShape(shape: readonly number[]) {
      return [...shape];
    }
    override call(value: layers.Computed) {
      return ops.mul(value, 2);
    }
  }
  const net = sequential([new Doubling({ inputShape: [2], activityRegularizer: regularizers.l1({ l1: 0.25 }) })]);
  const twin = modelFromJSON(JSON.stringify(net), { customObjects: { Doubling } });
  for (const each of [net, twin]) {
    each.compile({ optimizer: 'sgd', loss: 'meanSquaredError' });
    close([(await each.evaluate([[1, 2]], [[2, 4]])).loss], [0.25 * 6]);
  }
});
