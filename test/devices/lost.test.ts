// A device that fails in the middle of a training. The emulator fails on request: DOWNHILL_SIMT_FAIL. A lost device stays lost, hence a file,
// which is a process, of its own.
import { devices, type DownhillError, layers, ops, seed, sequential, setDevice, tensor } from 'downhill';
import { afterAll, expect, test } from 'vitest';
import { quadrants } from '../support.js';
import { goHome, testDevices } from '../support-devices.js';

afterAll(() => {
  delete process.env.DOWNHILL_SIMT_FAIL;
  goHome();
});

const { x, oneHot } = quadrants(64);

function net(device: string) {
  seed(3);
  const made = sequential(
    [
      layers.dense({ units: 8, activation: 'tanh', inputShape: [2] }),
      layers.dense({ units: 2, activation: 'softmax' }),
    ],
    { device },
  );
  made.compile({ optimizer: 'adam', loss: 'categoricalCrossentropy' });
  return made;
}

const options = { batchSize: 16, epochs: 3, shuffle: false };
const rejection = (work: Promise<unknown>) =>
  work.then(
    () => undefined,
    (error: DownhillError) => error,
  );

/** The so-manieth command from now on fails; devices() reads the variable. */
function failAfter(commands: number, code: string) {
  process.env.DOWNHILL_SIMT_FAIL = `${commands}:${code}`;
  devices();
  delete process.env.DOWNHILL_SIMT_FAIL;
}

const onEmulator = test.runIf(testDevices.includes('simt'));

test('the emulator is what this file is about', () => {
  expect(testDevices.length).toBeGreaterThan(0);
});

onEmulator('a command that fails once: a typed error, then all is well', async () => {
  const made = net('simt');
  await made.fit(x, oneHot, options);
  failAfter(7, 'OUT_OF_MEMORY');
  const error = await rejection(made.fit(x, oneHot, options));
  expect(error?.code).toBe('OUT_OF_MEMORY');
  expect(error?.message).toMatch(/DOWNHILL_SIMT_FAIL/);
  await made.fit(x, oneHot, options);
  expect((await made.evaluate(x, oneHot)).loss).toBeLessThan(1);
});

onEmulator('lost: DEVICE_LOST for all that is there, and the CPU goes on', async () => {
  const [made, other, here] = [net('simt'), net('simt'), net('cpu')];
  await made.fit(x, oneHot, options);
  const training = here.fit(x, oneHot, { ...options, epochs: 50 });
  setDevice('simt');
  const values = ops.add(tensor([1, 2]), 1);
  await values.data();
  failAfter(25, 'DEVICE_LOST');
  const error = await rejection(made.fit(x, oneHot, { ...options, epochs: 1000 }));
  expect(error?.code).toBe('DEVICE_LOST');
  expect((await rejection(other.fit(x, oneHot, options)))?.code).toBe('DEVICE_LOST');
  expect((await rejection(made.predict(x)))?.code).toBe('DEVICE_LOST');
  let code = '';
  try {
    await ops.add(tensor([1, 2]), 3).data();
  } catch (thrown) {
    code = (thrown as DownhillError).code;
  }
  expect(code).toBe('DEVICE_LOST');
  const entry = devices().find(({ id }) => id === 'simt')!;
  expect(entry.available).toBe(false);
  expect(entry.reason).toMatch(/lost/);

  await training;
  setDevice('cpu');
  expect([...(await ops.add(tensor([1, 2]), 3).data())]).toEqual([4, 5]);
  const after = net('cpu');
  await after.fit(x, oneHot, options);
  for (const one of [made, other, here, after]) one.dispose();
});
