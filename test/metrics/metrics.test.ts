import { metrics } from 'downhill';
import { expect, test } from 'vitest';
import { close, throwsAtOnce } from '../support.js';

const predictions = [
  [0.7, 0.2, 0.1],
  [0.1, 0.8, 0.1],
  [0.3, 0.3, 0.4],
  [0.2, 0.5, 0.3],
];
const labels = [0, 1, 0, 1]; // wrong once
const oneHot = labels.map((label) => [0, 1, 2].map((c) => (c === label ? 1 : 0)));

test('accuracy chooses by the shape of the targets', () => {
  close(metrics.accuracy()(oneHot, predictions), [0.75]);
  close(metrics.accuracy()(labels, predictions), [0.75]);
  close(
    metrics.accuracy()(
      labels.map((label) => [label]),
      predictions,
    ),
    [0.75],
  );
  close(metrics.accuracy().perExample(labels, predictions), [1, 1, 0, 1]);
  close(metrics.accuracy()([1, 0, 1, 0], [[0.9], [0.6], [0.51], [0.5]]), [0.75]);
});

test('its kinds by name', () => {
  close(metrics.categoricalAccuracy()(oneHot, predictions), [0.75]);
  close(metrics.sparseCategoricalAccuracy()(labels, predictions), [0.75]);
  close(metrics.binaryAccuracy()([[1, 0]], [[0.6, 0.6]]), [0.5]);
  close(metrics.binaryAccuracy({ threshold: 0.7 })([[1, 0]], [[0.8, 0.6]]), [1]);
  throwsAtOnce('SHAPE_MISMATCH', /categoricalAccuracy/, () => metrics.categoricalAccuracy()(labels, predictions));
  throwsAtOnce('SHAPE_MISMATCH', /sparseCategoricalAccuracy/, () =>
    metrics.sparseCategoricalAccuracy()(oneHot, predictions),
  );
});

test('zero-one loss is the rest', () => {
  close(metrics.zeroOneLoss()(oneHot, predictions), [0.25]);
  close(metrics.zeroOneLoss().perExample(labels, predictions), [0, 0, 1, 0]);
});

test('a prediction that is not a number is not correct', () => {
  close(metrics.accuracy()([0], [[Number.NaN, 1, 0]]), [1]); // argmax: NaN wins, as in NumPy
  close(metrics.accuracy()([1], [[Number.NaN, 1, 0]]), [0]);
  expect(
    metrics
      .accuracy()([1], [[Number.NaN]])
      .dataSync()[0],
  ).toBe(0);
});
