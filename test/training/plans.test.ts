// How often something is planned, and what runs within a call.
import { binding } from '../../lib/binding/index.js';
import { compile, layers, ops, sequential, tensor } from 'downhill';
import { afterEach, expect, test, vi } from 'vitest';
import { classifier, quadrants } from '../support.js';

const { x, oneHot: y } = quadrants(110);
afterEach(() => {
  vi.restoreAllMocks();
});

test('a batch size is planned once: not again for epochs, fits, evaluations and predictions that follow', async () => {
  const compile = vi.spyOn(binding, 'compile');
  const planned = () => compile.mock.calls.length;
  const net = classifier();
  const options = { batchSize: 32, validationSplit: 0.1, validationBatchSize: 8 };
  await net.fit(x, y, { ...options, epochs: 1 });
  expect(planned()).toBe(2 + 3); // 99 rows: 32 and the last 3; 11 rows: 8, 2 and 1
  await net.fit(x, y, { ...options, epochs: 4 });
  await net.evaluate(x.subarray(0, 22), y.subarray(0, 22), { batchSize: 8 });
  expect(planned()).toBe(5);
  for (let i = 0; i < 3; i++) {
    (await net.predict(x.subarray(0, 22), { batchSize: 8 })).dispose();
    expect(planned()).toBe(5 + 3);
  }
});

test('a tight loop of predictions lets timers run', async () => {
  const net = classifier();
  let rung = false;
  setTimeout(() => {
    rung = true;
  }, 20);
  let predictions = 0;
  for (; !rung; predictions++) (await net.predict(x.subarray(0, 2))).dispose();
  expect(predictions).toBeGreaterThan(0);
});

test('a brief prediction does not overtake what was queued before it', async () => {
  const net = sequential([layers.dense({ units: 1, useBias: false, inputShape: [3] })]);
  const [kernel] = net.parameters;
  const fill = compile((x) => {
    const zero = ops.mul(ops.sum(ops.matmul(x, x)), 0);
    kernel.assign(ops.add(ops.mul(kernel, 0), ops.add(zero, 1)));
    return zero;
  });
  const large = tensor(new Float32Array(1000 * 1000), [1000, 1000]);
  const busy = ops.matmul(large, large);
  const filling = fill(tensor(new Float32Array(400 * 400), [400, 400]));
  expect([...(await net.predict(Float32Array.of(1, 2, 4))).dataSync()]).toEqual([7]);
  await filling;
  await busy.data();
});
