// Fits with every kind of sampling, and with callbacks that set the learning rate, go on from any step to the bit.
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { callbacks, type FitOptions, type Model, setDevice } from 'downhill';
import { afterAll, afterEach, beforeEach, describe, expect, test, vi } from 'vitest';
import { fails, quadrants } from '../support.js';
import { isEmulated, testDevices } from '../support-devices.js';
import { count } from '../thin.js';
import { net, stateOf, withThreads } from './models.js';

const folder = mkdtempSync(join(tmpdir(), 'downhill-sampling-'));
afterAll(() => rmSync(folder, { recursive: true }));
// Epochs of some steps end with the pass, and warn.
beforeEach(() => void vi.spyOn(process, 'emitWarning').mockImplementation(() => {}));
afterEach(() => {
  setDevice('cpu');
  vi.restoreAllMocks();
});
let files = 0;
const fresh = () => join(folder, `${files++}-{step}.safetensors`);

const { x, oneHot } = quadrants(90);
const groups = Array.from({ length: 90 }, (_, row) => `g${(row * 7) % 13}`);

const kinds: Record<string, FitOptions> = {
  once: { shuffle: 'once' },
  replacement: { sampling: { replacement: true } },
  'replacement, once': { sampling: { replacement: true }, shuffle: 'once', stepsPerEpoch: 4 },
  'replacement, more steps than rows': { sampling: { replacement: true }, stepsPerEpoch: 8 },
  groups: { groups, validationSplit: 0.2 },
  'groups, a part of a pass': { groups, stepsPerEpoch: 4, validationSplit: 0.2, validationFreq: 2, validationSteps: 1 },
};

/** After some epochs without the improvement that it asks for. */
const plateau = () =>
  callbacks.reduceLROnPlateau({ monitor: 'loss', patience: 2, minDelta: 0.05, factor: 0.5, cooldown: 1 });

async function run(options: FitOptions, from: number, more: FitOptions = {}) {
  const made: Model = net('adam', from);
  const own = [plateau(), ...(more.callbacks ?? [])];
  const { history, epoch } = await made.fit(x, oneHot, {
    batchSize: 16,
    epochs: 5,
    verbose: 0,
    ...options,
    ...more,
    callbacks: own,
  });
  return { ...stateOf(made), history, epoch, steps: made.compiled!.optimizer.steps };
}

describe.each(testDevices)('%s', (device) => {
  test.each(Object.entries(kinds))('%s', async (_, options) => {
    setDevice(device);
    const expected = await run(options, 3);
    const path = fresh();
    const watched = await run(options, 3, { callbacks: [callbacks.modelCheckpoint({ path, everySteps: 1 })] });
    expect(watched).toEqual(expected);
    const every = isEmulated(device) ? 7 : count(1, 5);
    for (let step = 1; step <= expected.steps; step += every) {
      const resume = path.replace('{step}', `${step}`);
      const again = await withThreads([1, 2, 3][step % 3], () => run(options, 99, { resume }));
      expect(again, `step ${step}`).toEqual(expected);
    }
  });
});

test('a plateau in the middle of its patience, and of its cooldown', async () => {
  const path = join(folder, 'plateau-{epoch}.safetensors');
  const run = async (from: number, more: FitOptions) => {
    const made = net('momentum', from);
    const patient = callbacks.reduceLROnPlateau({
      monitor: 'loss',
      patience: 3,
      minDelta: 1e9,
      factor: 0.5,
      cooldown: 2,
    });
    const scheduler = callbacks.learningRateScheduler((epoch, rate) => rate * (1 + epoch / 100));
    const { history } = await made.fit(x, oneHot, {
      epochs: 14,
      batchSize: 32,
      ...more,
      callbacks: [patient, scheduler, ...(more.callbacks ?? [])],
    });
    return { ...stateOf(made), history, state: patient.getState() };
  };
  const expected = await run(3, { callbacks: [callbacks.modelCheckpoint({ path })] });
  expect(new Set(expected.history.learning_rate.map((rate) => rate > 0.02)).size).toBe(2); // reduced on the way
  for (let epoch = 1; epoch <= 14; epoch++)
    expect(await run(50, { resume: path.replace('{epoch}', `${epoch}`) }), `epoch ${epoch}`).toEqual(expected);
  await fails('INVALID_ARGUMENT', /callbacks that this fit does not have: ReduceLROnPlateau/, () =>
    net('momentum').fit(x, oneHot, { epochs: 14, resume: path.replace('{epoch}', '3') }),
  );
});

test('other sampling, or other groups, are other options', async () => {
  const path = fresh();
  const resume = path.replace('{step}', '2');
  await run({ groups }, 1, { epochs: 1, callbacks: [callbacks.modelCheckpoint({ path, everySteps: 2 })] });
  await fails('INVALID_ARGUMENT', /groups: 13 in the file, null here/, () => run({}, 1, { resume }));
  await fails(
    'INVALID_ARGUMENT',
    /groups: 13 in the file, 2 here/,
    () => run({ groups: groups.map((name) => name < 'g5').map(String) }, 1, { resume }), // prettier-ignore
  );
  await fails('INVALID_ARGUMENT', /shuffle: true in the file, "once" here/, () =>
    run({ groups, shuffle: 'once' }, 1, { resume }),
  );
  await fails('INVALID_ARGUMENT', /replacement: false in the file, true here/, () =>
    run({ sampling: { replacement: true } }, 1, { resume }),
  );
});
