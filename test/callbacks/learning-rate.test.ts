// Callbacks that set the learning rate, in fits. Their sequences are compared with Keras's in test/golden.
import { callbacks, type FitOptions, optimizers, schedules } from 'downhill';
import { expect, test, vi } from 'vitest';
import { classifier, close, fails, quadrants, throwsAtOnce } from '../support.js';

const { x, oneHot } = quadrants(40);
const usual: FitOptions = { epochs: 5, batchSize: 16, verbose: 0 };

test('a rate for each epoch, in the logs of those that come after', async () => {
  const net = classifier();
  const seen: number[][] = [];
  const scheduler = callbacks.learningRateScheduler((epoch, rate) => {
    seen.push([epoch, rate]);
    return epoch < 2 ? rate : rate / 2;
  });
  const { history } = await net.fit(x, oneHot, { ...usual, callbacks: [scheduler] });
  close(history.learning_rate, [0.001, 0.001, 0.0005, 0.00025, 0.000125], 1e-15);
  expect(seen).toEqual([
    [0, 0.001],
    [1, 0.001],
    [2, 0.001],
    [3, 0.0005],
    [4, 0.00025],
  ]);
  expect(net.compiled!.optimizer.learningRate).toBe(0.000125);
});

test('it is the rate of the steps', async () => {
  const [scheduled, plain] = [classifier(), classifier()];
  plain.setWeights(scheduled.getWeights());
  const schedule = schedules.linear({ initial: 0.1, final: 0.02, steps: 4 });
  const options = { ...usual, shuffle: false };
  await scheduled.fit(x, oneHot, { ...options, callbacks: [callbacks.learningRateScheduler({ schedule })] });
  for (let epoch = 0; epoch < 5; epoch++) {
    plain.setLearningRate(schedule(epoch));
    await plain.fit(x, oneHot, { ...options, epochs: 1 });
  }
  const bits = (net: typeof plain) => net.getWeights().map((weight) => [...weight.dataSync()]);
  expect(bits(scheduled)).toEqual(bits(plain));
});

test('reduced on a plateau: the rate of an epoch is logged before it is reduced', async () => {
  const net = classifier();
  const plateau = callbacks.reduceLROnPlateau({
    monitor: 'loss',
    patience: 1,
    factor: 0.5,
    minDelta: 1e9,
    minLr: 2e-4,
  });
  const { history } = await net.fit(x, oneHot, { ...usual, callbacks: [plateau] });
  close(history.learning_rate, [0.001, 0.001, 0.0005, 0.00025, 0.0002], 1e-15);
  expect(plateau.best).toBe(history.loss[0]);
});

test('verbose', async () => {
  const log = vi.spyOn(console, 'log').mockImplementation(() => {});
  await classifier().fit(x, oneHot, {
    ...usual,
    epochs: 2,
    callbacks: [
      callbacks.learningRateScheduler({ schedule: () => 0.25, verbose: 1 }),
      callbacks.reduceLROnPlateau({ monitor: 'loss', patience: 0, minDelta: 1e9, factor: 0.5, verbose: 1 }),
    ],
  });
  expect(log.mock.calls.flat()).toEqual([
    'Epoch 1: the learning rate is 0.25.',
    'Epoch 2: the learning rate is 0.25.',
    'Epoch 2: the learning rate becomes 0.125.',
  ]);
  log.mockRestore();
});

test('an optimizer that follows a schedule is refused before the first step', async () => {
  for (const callback of [callbacks.learningRateScheduler(() => 0.1), callbacks.reduceLROnPlateau()]) {
    const net = classifier();
    const weights = net.getWeights()[0].dataSync();
    net.compile({
      optimizer: optimizers.sgd({ learningRate: schedules.exponential({ initial: 1, rate: 0.5, steps: 3 }) }),
      loss: 'categoricalCrossentropy',
    });
    await fails('INVALID_ARGUMENT', /optimizer "sgd" follows a schedule.*with a number/i, () =>
      net.fit(x, oneHot, { ...usual, callbacks: [callback] }),
    );
    expect(net.getWeights()[0].dataSync()).toEqual(weights);
  }
});

test('errors', async () => {
  throwsAtOnce('INVALID_ARGUMENT', /schedule must be a function/, () =>
    callbacks.learningRateScheduler({ schedule: 0.1 as never }),
  );
  throwsAtOnce('UNKNOWN_OPTION', /"patienc"/, () => callbacks.reduceLROnPlateau({ patienc: 1 } as never));
  throwsAtOnce('OUT_OF_RANGE', /factor must be.*below 1/, () => callbacks.reduceLROnPlateau({ factor: 1 }));
  throwsAtOnce('OUT_OF_RANGE', /minLr/, () => callbacks.reduceLROnPlateau({ minLr: -1 }));
  const fit = (schedule: unknown) => () =>
    classifier().fit(x, oneHot, { ...usual, callbacks: [callbacks.learningRateScheduler(schedule as () => number)] });
  await fails(
    'INVALID_ARGUMENT',
    /number for epoch 0; it gave undefined/,
    fit(() => undefined),
  );
  await fails(
    'OUT_OF_RANGE',
    /the rate of epoch 0 must be a finite number at least 0; received -1/,
    fit(() => -1),
  );
  await fails(
    'OUT_OF_RANGE',
    /received NaN/,
    fit(() => Number.NaN),
  );
});
