import { callbacks, type Model } from 'downhill';
import { expect, test } from 'vitest';
import { classifier, fails, quadrants, throwsAtOnce } from '../support.js';

const { x, oneHot } = quadrants(20);
const run = { batchSize: 8, epochs: 2, validationSplit: 0.2 }; // two batches to train on, one to test

test('hooks in Keras’s order, awaited', async () => {
  const calls: string[] = [];
  const names = [
    'onTrainBegin',
    'onEpochBegin',
    'onTrainBatchBegin',
    'onTrainBatchEnd',
    'onTestBegin',
    'onTestBatchBegin',
    'onTestBatchEnd',
    'onTestEnd',
    'onEpochEnd',
    'onTrainEnd',
  ];
  let inside = 0;
  const hooks = Object.fromEntries(
    names.map((name) => [
      name,
      async (...args: unknown[]) => {
        expect(inside++).toBe(0);
        await new Promise((resolve) => setTimeout(resolve, 1));
        calls.push(typeof args[0] === 'number' ? `${name} ${args[0]}` : name);
        inside--;
      },
    ]),
  );
  await classifier().fit(x, oneHot, { ...run, callbacks: [hooks] });
  const epoch = (i: number) => [
    `onEpochBegin ${i}`,
    'onTrainBatchBegin 0',
    'onTrainBatchEnd 0',
    'onTrainBatchBegin 1',
    'onTrainBatchEnd 1',
    'onTestBegin',
    'onTestBatchBegin 0',
    'onTestBatchEnd 0',
    'onTestEnd',
    `onEpochEnd ${i}`,
  ];
  expect(calls).toEqual(['onTrainBegin', ...epoch(0), ...epoch(1), 'onTrainEnd']);
});

test('logs: means over the epoch so far, and what onEpochEnd adds', async () => {
  const batches: number[] = [];
  const net = classifier();
  const { history } = await net.fit(x, oneHot, {
    ...run,
    epochs: 1,
    callbacks: [
      callbacks.lambda({
        onTrainBatchEnd: (_: number, logs: Record<string, number>) => {
          expect(Object.keys(logs)).toEqual(['loss', 'accuracy']);
          batches.push(logs.loss);
        },
        onEpochEnd: (_: number, logs: Record<string, number>) => {
          expect(Object.keys(logs)).toEqual(['loss', 'accuracy', 'val_loss', 'val_accuracy']);
          logs.rate = 0.5;
        },
      }),
    ],
  });
  expect(history.loss).toEqual([batches[1]]);
  expect(history.rate).toEqual([0.5]);
});

test('callbacks see the model, also as objects of a class', async () => {
  const seen: (Model | undefined)[] = [];
  class Watcher {
    model?: Model;
    onTrainBegin() {
      seen.push(this.model);
    }
  }
  const net = classifier();
  await net.fit(x, oneHot, {
    callbacks: [
      new Watcher(),
      {
        model: undefined as Model | undefined,
        onEpochEnd() {
          seen.push(this.model);
        },
      },
      Object.freeze({ onEpochBegin: () => {} }),
    ],
  });
  expect(seen).toEqual([net, net]);
});

test('a record of its own', async () => {
  const record = callbacks.history();
  const net = classifier();
  const { history, epoch } = await net.fit(x, oneHot, { ...run, callbacks: [record] });
  expect(record.history).toEqual(history);
  expect(record.epoch).toEqual(epoch);
  expect(record.epoch).toEqual([0, 1]);
});

test('stopTraining ends after the batch or epoch in hand', async () => {
  const net = classifier();
  let batches = 0;
  const afterBatch = await net.fit(x, oneHot, {
    ...run,
    callbacks: [
      {
        onTrainBatchEnd: () => {
          batches++;
          net.stopTraining = true;
        },
      },
    ],
  });
  expect([batches, afterBatch.epoch]).toEqual([1, [0]]);
  expect(afterBatch.history.val_loss).toHaveLength(1);
  const afterEpoch = await net.fit(x, oneHot, {
    ...run,
    epochs: 50,
    callbacks: [callbacks.lambda({ onEpochEnd: (epoch: number) => (net.stopTraining = epoch === 2) })],
  });
  expect(afterEpoch.epoch).toEqual([0, 1, 2]);
  expect((await net.fit(x, oneHot, { epochs: 2 })).epoch).toEqual([0, 1]);
});

test('stopTraining from outside ends a fit that has no hooks', async () => {
  const net = classifier();
  const big = quadrants(100_000);
  const begun = performance.now();
  const fitting = net.fit(big.x, big.oneHot, { batchSize: 1, epochs: 1000 });
  setTimeout(() => {
    net.stopTraining = true;
  }, 30);
  const { epoch, history } = await fitting;
  expect(performance.now() - begun).toBeLessThan(5000);
  expect(epoch).toEqual([0]);
  expect(Number.isFinite(history.loss[0])).toBe(true);
});

test('hooks of evaluate and predict', async () => {
  const calls: string[] = [];
  const net = classifier();
  const watch = callbacks.lambda({
    onTestBegin: () => calls.push('test begin'),
    onTestBatchEnd: (batch: number) => calls.push(`test ${batch}`),
    onTestEnd: (logs: Record<string, number>) => calls.push(`test end ${Object.keys(logs)}`),
    onPredictBegin: () => calls.push('predict begin'),
    onPredictBatchEnd: (batch: number) => calls.push(`predict ${batch}`),
    onPredictEnd: () => calls.push('predict end'),
  });
  // 20 rows are batches of 9, 9 and 2; of 13 and 7 (4 + 2 + 1 natively).
  for (const [batchSize, batches] of [
    [9, 3],
    [13, 2],
    [100, 1],
  ]) {
    calls.length = 0;
    await net.evaluate(x, oneHot, { batchSize, callbacks: [watch] });
    await net.predict(x, { batchSize, callbacks: [watch] });
    const each = (kind: string) => Array.from({ length: batches }, (_, i) => `${kind} ${i}`);
    expect(calls).toEqual([
      'test begin',
      ...each('test'),
      'test end loss,accuracy',
      'predict begin',
      ...each('predict'),
      'predict end',
    ]);
  }
});

test('an error in a callback reaches the caller as it was, and the model stays usable', async () => {
  const net = classifier();
  const boom = new RangeError('mine');
  for (const hook of [
    'onTrainBegin',
    'onEpochBegin',
    'onTrainBatchBegin',
    'onTrainBatchEnd',
    'onTestEnd',
    'onEpochEnd',
    'onTrainEnd',
  ])
    for (const thrower of [
      () => {
        throw boom;
      },
      async () => Promise.reject(boom),
    ]) {
      const error = await net
        .fit(x, oneHot, { ...run, callbacks: [{ [hook]: thrower }] })
        .catch((thrown: unknown) => thrown);
      expect(error, hook).toBe(boom);
    }
  const { history } = await net.fit(x, oneHot, run);
  expect(history.loss).toHaveLength(2);
});

test('unknown hooks and things that are no callbacks', async () => {
  const net = classifier();
  throwsAtOnce('UNKNOWN_OPTION', /"onEpochFinish"/, () => callbacks.lambda({ onEpochFinish: () => {} } as never));
  await fails('UNKNOWN_OPTION', /callbacks\[0\].*"onEpochEnds".*Did you mean "onEpochEnd"/, () =>
    net.fit(x, oneHot, { callbacks: [{ onEpochEnds: () => {} } as never] }),
  );
  await fails('INVALID_ARGUMENT', /callbacks must be a list/, () => net.fit(x, oneHot, { callbacks: {} as never }));
  await fails('INVALID_ARGUMENT', /callbacks\[0\] must be an object/, () =>
    net.fit(x, oneHot, { callbacks: [(() => {}) as never] }),
  );
  await fails('INVALID_ARGUMENT', /onEpochEnd must be a function/, () =>
    net.fit(x, oneHot, { callbacks: [{ onEpochEnd: 3 } as never] }),
  );
});
