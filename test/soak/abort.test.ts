import { expect, test } from 'vitest';
import { classifier, quadrants } from '../support.js';

const big = quadrants(100_000);
const caught = (work: Promise<unknown>) =>
  work.then(
    () => 'fulfilled',
    (error: unknown) => error,
  );

test('an abort rejects with the reason within 150 ms, and the model stays usable', async () => {
  const net = classifier();
  const before = net.getWeights().map((weight) => [...weight.dataSync()]);
  for (const reason of [new Error('enough'), 'text', undefined]) {
    const controller = new AbortController();
    const fitting = caught(net.fit(big.x, big.oneHot, { epochs: 10_000, batchSize: 8, signal: controller.signal }));
    await new Promise((resolve) => setTimeout(resolve, 30));
    const begun = performance.now();
    controller.abort(reason);
    const error = await fitting;
    expect(performance.now() - begun).toBeLessThan(150);
    if (reason === undefined) expect(error).toMatchObject({ name: 'AbortError' });
    else expect(error).toBe(reason);
  }
  const after = net.getWeights().map((weight) => [...weight.dataSync()]);
  expect(after).not.toEqual(before);
  expect(after.flat().every(Number.isFinite)).toBe(true);
  expect((await net.fit(big.x.subarray(0, 20), big.oneHot.subarray(0, 20))).history.loss).toHaveLength(1);
});

test('a signal that has aborted already', async () => {
  const net = classifier();
  const before = net.getWeights().map((weight) => [...weight.dataSync()]);
  const reason = new Error('before');
  expect(await caught(net.fit(big.x, big.oneHot, { signal: AbortSignal.abort(reason) }))).toBe(reason);
  expect(net.getWeights().map((weight) => [...weight.dataSync()])).toEqual(before);
  await net.fit(big.x.subarray(0, 20), big.oneHot.subarray(0, 20));
});

test('the weights are those of a finished step: the same as after as many single steps', async () => {
  const [net, twin] = [classifier(), classifier()];
  twin.setWeights(net.getWeights());
  const controller = new AbortController();
  let steps = 0;
  const options = { batchSize: 4, shuffle: false };
  const watch = { onTrainBatchEnd: () => ++steps === 5 && controller.abort() };
  expect(
    await caught(net.fit(big.x, big.oneHot, { ...options, callbacks: [watch], signal: controller.signal })),
  ).toMatchObject({
    name: 'AbortError',
  });
  await twin.fit(big.x, big.oneHot, { ...options, stepsPerEpoch: 5 });
  expect(net.getWeights().map((weight) => [...weight.dataSync()])).toEqual(
    twin.getWeights().map((weight) => [...weight.dataSync()]),
  );
});

test('an abort does not wait for callbacks or sources that never settle', async () => {
  const net = classifier();
  const never = new Promise<void>(() => {});
  const silent = {
    [Symbol.asyncIterator]: () => ({ next: () => never as never }),
  };
  for (const start of [
    (signal: AbortSignal) => net.fit(big.x, big.oneHot, { signal, callbacks: [{ onEpochBegin: () => never }] }),
    (signal: AbortSignal) => net.fit(silent, { signal }),
  ]) {
    const signal = AbortSignal.timeout(20);
    const begun = performance.now();
    expect(await caught(start(signal))).toBe(signal.reason);
    expect(performance.now() - begun).toBeLessThan(170);
  }
});

test('during validation', async () => {
  const net = classifier();
  const controller = new AbortController();
  const watch = { onTestBegin: () => controller.abort(new Error('testing')) };
  const small = { x: big.x.subarray(0, 40), y: big.oneHot.subarray(0, 40) };
  expect(
    await caught(
      net.fit(small.x, small.y, { validationData: [big.x, big.oneHot], callbacks: [watch], signal: controller.signal }),
    ),
  ).toMatchObject({ message: 'testing' });
  const timeout = AbortSignal.timeout(30);
  const begun = performance.now();
  await caught(
    net.fit(small.x, small.y, { batchSize: 1, epochs: 10_000, validationData: [big.x, big.oneHot], signal: timeout }),
  );
  expect(performance.now() - begun).toBeLessThan(180);
});

test('dispose ends a fit', async () => {
  const net = classifier();
  const fitting = caught(net.fit(big.x, big.oneHot, { epochs: 10_000, batchSize: 8 }));
  await new Promise((resolve) => setTimeout(resolve, 20));
  net.dispose();
  expect(await fitting).toMatchObject({ code: 'DISPOSED' });
});
