// A device that is full: a typed error, other models go on, memory comes back.
import { setFlagsFromString } from 'node:v8';
import { runInNewContext } from 'node:vm';
import {
  deviceMemory,
  type DownhillError,
  layers,
  type Model,
  ops,
  seed,
  sequential,
  setDevice,
  setMemoryLimit,
  tensor,
} from 'downhill';
import { afterEach, describe, expect, test } from 'vitest';
import { fails, quadrants, randomArray } from '../support.js';
import { accelerators, goHome } from '../support-devices.js';

const { x, oneHot } = quadrants(64);

setFlagsFromString('--expose-gc');
const gc = runInNewContext('gc') as () => void;

/** Objects go in one turn of the event loop, what they held in the next. */
async function collectGarbage(): Promise<void> {
  for (let i = 0; i < 4; i++) {
    gc();
    await new Promise((resolve) => setImmediate(resolve));
  }
}

function net(device: string, units: number): Model {
  const made = sequential(
    [layers.dense({ units, activation: 'tanh', inputShape: [2] }), layers.dense({ units: 2, activation: 'softmax' })],
    { device },
  );
  made.compile({ optimizer: 'adam', loss: 'categoricalCrossentropy' });
  return made;
}

const options = { batchSize: 16, epochs: 1, shuffle: false };

test('the CPU has no limit of its own', async () => {
  await fails('UNSUPPORTED', /CPU/, () => setMemoryLimit('cpu', 1e9));
});

describe.each(accelerators.length ? accelerators : ['no other device'])('memory of %s', (device) => {
  const onDevice = test.runIf(device !== 'no other device');
  afterEach(() => {
    if (device !== 'no other device') setMemoryLimit(device, undefined);
    goHome();
  });

  onDevice('beyond the limit: OUT_OF_MEMORY, and others go on', async () => {
    const small = net(device, 8);
    await small.fit(x, oneHot, options);
    const before = small.getWeights();
    const twin = net(device, 8);
    twin.setWeights(before);
    await twin.fit(x, oneHot, options);

    setMemoryLimit(device, deviceMemory(device).bytes + 2 ** 17);
    const large = net(device, 2 ** 12);
    const error = await large.fit(x, oneHot, options).then(
      () => undefined,
      (thrown: DownhillError) => thrown,
    );
    expect(error?.code).toBe('OUT_OF_MEMORY');
    expect(error?.message).toMatch(/\d+ bytes|[MGK]i?B/);
    // Its values are still there, on the host.
    expect(
      large
        .getWeights()[0]!
        .dataSync()
        .some((value) => value !== 0),
    ).toBe(true);
    // A model that trained before goes on as if nothing had been.
    small.setWeights(before);
    small.compile({ optimizer: 'adam', loss: 'categoricalCrossentropy' });
    await small.fit(x, oneHot, options);
    expect(small.getWeights().map((weight) => [...weight.dataSync()])).toEqual(
      twin.getWeights().map((weight) => [...weight.dataSync()]),
    );
    setMemoryLimit(device, undefined);
    await large.fit(x, oneHot, options);
    for (const one of [small, twin, large]) one.dispose();
  });

  onDevice('an op on tensors, too', async () => {
    setDevice(device);
    const one = tensor([1, 2]);
    await ops.add(one, one).data();
    setMemoryLimit(device, deviceMemory(device).bytes + 2 ** 16);
    await fails('OUT_OF_MEMORY', /bytes|B/, () => ops.broadcastTo(one, [2 ** 16, 2]).data());
    expect([...(await ops.add(one, one).data())]).toEqual([2, 4]);
  });

  onDevice('data that has no room there is brought batch by batch: the same bits', async () => {
    const rows = 20_000;
    const wide = randomArray(rows * 8, 6);
    const y = Int32Array.from({ length: rows }, (_, i) => i % 3);
    const run = async () => {
      seed(9);
      const made = sequential([layers.dense({ units: 3, activation: 'softmax', inputShape: [8] })], { device });
      made.compile({ optimizer: 'adam', loss: 'sparseCategoricalCrossentropy', metrics: ['accuracy'] });
      const { history } = await made.fit(wide, y, { batchSize: 512, epochs: 2, validationSplit: 0.1 });
      const weights = made.getWeights().map((weight) => [...weight.dataSync()]);
      made.dispose();
      return { history, weights };
    };
    await collectGarbage();
    const { bytes } = deviceMemory(device);
    const expected = await run();
    await collectGarbage();
    setMemoryLimit(device, Math.max(bytes, deviceMemory(device).bytes) + 0.9 * wide.byteLength);
    expect(await run()).toEqual(expected);
  });

  onDevice('models and tensors give their memory back', async () => {
    const run = async () => {
      const made = net(device, 256);
      await made.fit(x, oneHot, options);
      (await made.predict(x)).dispose();
      made.dispose();
    };
    const bytes: number[] = [];
    for (let i = 0; i < 6; i++) {
      await run();
      await collectGarbage(); // data sets and optimizers' slots wait for it
      bytes.push(deviceMemory(device).bytes);
    }
    expect(bytes.at(-1)! - bytes[1]!).toBeLessThan(16 * 1024);
  });

  onDevice('a training step asks for no memory', async () => {
    const made = net(device, 16);
    const seen: number[] = [];
    const { binding } = await import('../../lib/binding/index.js');
    const requests = () => binding.deviceMemory(made.device)!.requests;
    await made.fit(x, oneHot, { ...options, epochs: 4, callbacks: [{ onTrainBatchEnd: () => seen.push(requests()) }] });
    expect(seen).toHaveLength(16);
    expect(new Set(seen.slice(2)).size).toBe(1);
  });
});
