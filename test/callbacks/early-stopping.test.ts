// Early stopping, as Keras 3 defines it.
import { callbacks, diagnostics, type Logs, seed } from 'downhill';
import { expect, test, vi } from 'vitest';
import { classifier, fails, quadrants, throwsAtOnce } from '../support.js';

type Options = Parameters<typeof callbacks.earlyStopping>[0];
const { x, oneHot } = quadrants(40);

/** Feeds values of the logs to the callback; the weights of epoch i are all i. Gives what is left when the fit ends. */
function watch(options: Options, values: (number | null)[], key = 'val_loss') {
  const callback = callbacks.earlyStopping(options);
  let weights: unknown = null;
  let epoch = 0;
  const model = {
    stopTraining: false,
    trainingBatch: () => null,
    getWeights: () => [epoch] as never,
    setWeights: (value: unknown) => (weights = value),
  };
  Object.assign(callback, { model });
  callback.onTrainBegin();
  for (; epoch < values.length && !model.stopTraining; epoch++) {
    const value = values[epoch];
    callback.onEpochEnd(epoch, value === null ? {} : ({ [key]: value } as Logs));
  }
  callback.onTrainEnd();
  const { stoppedEpoch, best, bestEpoch } = callback;
  return { epochs: epoch, stoppedEpoch, best, bestEpoch, weights };
}

test.each<[Options, (number | null)[], object]>([
  [{ patience: 2 }, [5, 4, 4, 4, 3], { epochs: 4, stoppedEpoch: 3, best: 4, bestEpoch: 1 }],
  [{}, [5, 4, 6, 1], { epochs: 3, stoppedEpoch: 2, best: 4 }],
  [{ patience: 1 }, [5, 4, 3, 2], { epochs: 4, stoppedEpoch: 0, best: 2, bestEpoch: 3 }],
  [{ patience: 2, minDelta: 1 }, [5, 4.5, 4.1, 0], { epochs: 3, stoppedEpoch: 2, best: 5 }],
  [{ patience: 2, minDelta: -1 }, [5, 4.5, 4.1, 0], { epochs: 3, stoppedEpoch: 2, best: 5 }],
  [{ patience: 1, mode: 'max' }, [1, 2, 1.5, 9], { epochs: 3, best: 2, bestEpoch: 1 }],
  [{ patience: 2, baseline: 3 }, [5, 4, 4, 0], { epochs: 3, stoppedEpoch: 2, best: 4 }],
  [{ patience: 2, baseline: 3 }, [5, 4, 3.5, 3.4], { epochs: 4, stoppedEpoch: 0, best: 3.4 }],
  [{ patience: 2 }, [Number.NaN, 4, 3], { epochs: 3, stoppedEpoch: 0, best: 3 }],
  [{ patience: 1, startFromEpoch: 2 }, [1, 0, 5, 4, 6], { epochs: 5, stoppedEpoch: 4, best: 4 }],
  [{ patience: 1 }, [5, null, null, 4, 6, 3], { epochs: 5, stoppedEpoch: 4, best: 4 }],
  [{ patience: 1 }, [5, Number.NaN, 1], { epochs: 2, stoppedEpoch: 1, best: 5 }],
  [{ patience: 1, restoreBestWeights: true }, [5, 3, 4, 1], { epochs: 3, best: 3, weights: [1] }],
  [{ patience: 3, restoreBestWeights: true }, [5, 3, 4], { epochs: 3, stoppedEpoch: 0, weights: [1] }],
])('%o of %o', (options, values, expected) => {
  const warn = vi.spyOn(process, 'emitWarning').mockImplementation(() => {});
  expect(watch(options, values)).toMatchObject(expected);
  expect(warn.mock.calls.length).toBe(values.includes(null) ? 1 : 0);
  warn.mockRestore();
});

test('auto goes by the name', () => {
  expect(watch({ monitor: 'val_accuracy', patience: 1 }, [1, 2, 1, 9], 'val_accuracy')).toMatchObject({
    epochs: 3,
    best: 2,
  });
});

test('in a fit: ends it and restores the best weights', async () => {
  const net = classifier();
  const seen: number[][][] = [];
  const stopping = callbacks.earlyStopping({ monitor: 'loss', mode: 'max', patience: 2, restoreBestWeights: true });
  const recorder = {
    onEpochEnd: () => {
      seen.push(net.getWeights().map((weight) => [...weight.dataSync()]));
    },
  };
  const { epoch } = await net.fit(x, oneHot, { epochs: 50, callbacks: [recorder, stopping] });
  expect(epoch.length).toBeLessThan(50);
  expect(stopping.stoppedEpoch).toBe(epoch.length - 1);
  expect(net.getWeights().map((weight) => [...weight.dataSync()])).toEqual(seen[stopping.bestEpoch]);
  expect(stopping.bestEpoch).toBe(stopping.stoppedEpoch - 2);
});

test('on the true loss, while a surrogate is trained on', async () => {
  seed(4);
  const points = quadrants(300, 3);
  const net = classifier(['zeroOneLoss']);
  net.setLearningRate(0.05);
  const stopping = callbacks.earlyStopping({ monitor: 'val_zeroOneLoss', patience: 5, restoreBestWeights: true });
  const options = { epochs: 200, shuffle: false, validationSplit: 0.2, callbacks: [stopping] };
  const { history, epoch } = await net.fit(points.x, points.oneHot, options);
  expect(epoch.length).toBeLessThan(200);
  const errors = history.val_zeroOneLoss;
  expect(stopping.best).toBe(Math.min(...errors));
  expect(stopping.bestEpoch).toBe(errors.indexOf(stopping.best));
  expect(stopping.stoppedEpoch).toBe(stopping.bestEpoch + 5);
  // The first best epoch's weights are back: their error is the fraction of wrong answers, counted by hand.
  const held = points.x.subarray(2 * 240);
  const outputs = (await net.predict(held)).dataSync();
  const wrong = [...points.labels.subarray(240)].filter(
    (label, i) => (outputs[2 * i + 1] > outputs[2 * i] ? 1 : 0) !== label,
  ).length;
  expect(wrong / 60).toBeCloseTo(stopping.best, 6);
});

test('a number that is not there', async () => {
  const warn = vi.spyOn(process, 'emitWarning').mockImplementation(() => {});
  await classifier().fit(x, oneHot, { epochs: 3, callbacks: [callbacks.earlyStopping()] });
  expect(warn.mock.calls).toEqual([
    [expect.stringMatching(/no "val_loss".*They have loss, accuracy.*validationData/), 'DownhillWarning'],
  ]);
  warn.mockRestore();
});

test('options', async () => {
  throwsAtOnce('UNKNOWN_OPTION', /"patient".*Did you mean "patience"/, () =>
    callbacks.earlyStopping({ patient: 1 } as never),
  );
  throwsAtOnce('OUT_OF_RANGE', /patience/, () => callbacks.earlyStopping({ patience: -1 }));
  throwsAtOnce('INVALID_ARGUMENT', /mode/, () => callbacks.earlyStopping({ mode: 'best' as never }));
  await fails('INVALID_ARGUMENT', /monitor/, () => callbacks.earlyStopping({ monitor: '' }));
});

test('the gradient norm at the stop', async () => {
  const fit = async (gradientRows?: number) => {
    const net = classifier();
    const stopping = callbacks.earlyStopping({ monitor: 'loss', mode: 'max', patience: 1, gradientRows });
    expect(stopping.gradientNorm).toBe(null);
    await net.fit(x, oneHot, { epochs: 5, batchSize: 16, shuffle: false, callbacks: [stopping] });
    return { net, stopping };
  };
  // Batches of 16, 16 and 8 rows: all of them, the last two, the last one.
  for (const [gradientRows, rows] of [
    [undefined, 40],
    [39, 24],
    [1, 8],
  ] as const) {
    const { net, stopping } = await fit(gradientRows);
    expect(stopping.stoppedEpoch).toBe(1);
    const from = 2 * (40 - rows);
    const { norm } = await diagnostics.gradientNorm(net, x.subarray(from), oneHot.subarray(from));
    expect(stopping.gradientNorm! / norm).toBeCloseTo(1, 5);
  }
  const { stopping } = await fit(0);
  expect(stopping.gradientNorm).toBe(null);
  const again = callbacks.earlyStopping();
  Object.assign(again, { model: classifier() });
  again.checkState({ ...stopping.getState(), gradientNorm: 0.5 }, 'state');
  again.setState({ ...stopping.getState(), gradientNorm: 0.5 });
  expect(again.gradientNorm).toBe(0.5);
  throwsAtOnce('CORRUPT_FILE', /gradientNorm/, () =>
    again.checkState({ ...stopping.getState(), gradientNorm: 'x' }, 'state'),
  );
});
