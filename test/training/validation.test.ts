import { seed } from 'downhill';
import { expect, test } from 'vitest';
import { classifier, close, fails, quadrants } from '../support.js';

const { x, oneHot } = quadrants(100);

test('validationSplit holds back the last rows, before shuffling', async () => {
  const [split, separate] = [classifier(), classifier()];
  separate.setWeights(split.getWeights());
  const options = { batchSize: 16, epochs: 3 };
  seed(1);
  const a = await split.fit(x, oneHot, { ...options, validationSplit: 0.3 });
  seed(1);
  const b = await separate.fit(x.subarray(0, 140), oneHot.subarray(0, 140), {
    ...options,
    validationData: [x.subarray(140), oneHot.subarray(140)],
  });
  expect(a.history).toEqual(b.history);
  const { loss, accuracy } = await split.evaluate(x.subarray(140), oneHot.subarray(140), { batchSize: 16 });
  close([a.history.val_loss.at(-1), a.history.val_accuracy.at(-1)], [loss, accuracy]);
});

test('as Keras, the training part is floor(n · (1 − split))', async () => {
  const rows: number[] = [];
  const net = classifier();
  const count = { onTestBatchEnd: () => rows.push(1) };
  await net.fit(x.subarray(0, 20), oneHot.subarray(0, 20), { batchSize: 1, validationSplit: 0.25, callbacks: [count] });
  expect(rows.length).toBe(3); // floor(7.5) = 7 to train, 3 to validate
});

test('evaluate weights by rows', async () => {
  const net = classifier();
  const whole = await net.evaluate(x, oneHot, { batchSize: 100 });
  for (const batchSize of [1, 7, 32, 64, 99, 1000]) {
    const { loss, accuracy } = await net.evaluate(x, oneHot, { batchSize });
    close([loss, accuracy], [whole.loss, whole.accuracy], 1e-6);
  }
});

test('predict gives the same rows for every batch size', async () => {
  const net = classifier();
  const whole = (await net.predict(x, { batchSize: 100 })).dataSync();
  for (const batchSize of [1, 7, 32, 99, 1000]) close((await net.predict(x, { batchSize })).dataSync(), whole, 1e-6);
  expect((await net.predict(x.subarray(0, 2))).shape).toEqual([1, 2]);
});

test('splits that leave nothing', async () => {
  const net = classifier();
  const [few, targets] = [x.subarray(0, 4), oneHot.subarray(0, 4)];
  await fails('EMPTY_DATA', /leaves 0 for training/, () => net.fit(few, targets, { validationSplit: 0.9 }));
  await fails('EMPTY_DATA', /0 for validation/, () => net.fit(x, oneHot, { validationSplit: 1e-17 }));
  await fails('OUT_OF_RANGE', /validationSplit.*below 1; received 1\b/, () =>
    net.fit(x, oneHot, { validationSplit: 1 }),
  );
  await fails('OUT_OF_RANGE', /validationSplit/, () => net.fit(x, oneHot, { validationSplit: -0.1 }));
  await fails('INVALID_ARGUMENT', /not both/, () =>
    net.fit(x, oneHot, { validationSplit: 0.1, validationData: [x, oneHot] }),
  );
  await fails('INVALID_ARGUMENT', /validationData must be \[x, y\]/, () =>
    net.fit(x, oneHot, { validationData: 3 as never }),
  );
  await fails('SHAPE_MISMATCH', /validationData\[0\]/, () =>
    net.fit(x, oneHot, { validationData: [[[1, 2, 3]], oneHot] }),
  );
});
