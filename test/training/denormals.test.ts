// fit, evaluate and predict take denormal numbers for zero on the CPU, on every thread; ops and JavaScript keep them.
import { layers, type Model, ops, optimizers, sequential, setThreads, tensor } from 'downhill';
import { expect, test } from 'vitest';

const units = 70_000; // enough for every thread to have its part
const normal = Math.fround(2e-38); // the least normal number is 1.18e-38

/** units products of one input with 2e-38. */
function wide(): Model {
  const net = sequential([layers.dense({ units, useBias: false, inputShape: [1] })]);
  net.setWeights([new Float32Array(units).fill(normal)]);
  return net;
}

const distinct = (values: ArrayLike<number>) => [...new Set(Array.from(values))];

test.each([1, 2, 3])('predictions and updates that would be denormal are 0, on %i threads', async (count) => {
  setThreads(count);
  const net = wide();
  expect(distinct(await (await net.predict([[1e-5]])).data())).toEqual([0]);
  expect(distinct(await (await net.predict([[1]])).data())).toEqual([normal]);
  // 2e-38 − 1.2e-38 · 1, but for the mean over the units
  net.compile({ optimizer: optimizers.sgd({ learningRate: 1.2e-38 * units }), loss: 'meanAbsoluteError' });
  await net.fit([[1]], [new Float32Array(units).fill(-1)], { epochs: 1 });
  expect(distinct(net.getWeights()[0]!.dataSync())).toEqual([0]);
});

test('ops, and arithmetic of JavaScript after a prediction on its own thread, keep them', async () => {
  const denormal = Math.fround(2e-43);
  const kept = () => ops.mul(tensor([2e-38]), tensor([1e-5])).data();
  expect((await kept())[0]).toBe(denormal);
  const net = sequential([layers.dense({ units: 1, useBias: false, inputShape: [1] })]);
  net.setWeights([[[normal]]]);
  expect((await net.predict([[1e-5]]).then((y) => y.data()))[0]).toBe(0); // brief: here and now
  let least = Number.MIN_VALUE * 4;
  for (let i = 0; i < 2; i++) least /= 2;
  expect(least).toBe(Number.MIN_VALUE);
  expect((await kept())[0]).toBe(denormal);
});

test('moments of a gradient that has become 0 reach 0', async () => {
  const net = sequential([layers.dense({ units: 1, useBias: false, inputShape: [1] })]);
  net.setWeights([[[1]]]);
  net.compile({ optimizer: optimizers.sgd({ learningRate: 1, momentum: 0.5 }), loss: 'meanSquaredError' });
  await net.fit([[1e-30]], [[1]], { epochs: 1 }); // velocity 2e-30
  await net.fit([[0]], [[1]], { epochs: 40 });
  net.setWeights([[[0]]]);
  await net.fit([[0]], [[1]], { epochs: 1 });
  expect(net.getWeights()[0]!.dataSync()[0]).toBe(0); // and not the velocity, 2e-42
});
