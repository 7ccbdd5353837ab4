// Saves after a batch has failed have their place; states in a file that cannot be are refused.
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import {
  callbacks,
  type FitOptions,
  layers,
  loadModel,
  losses,
  type Model,
  ops,
  type SymbolicTensor,
  seed,
  sequential,
  variable,
} from 'downhill';
import { describe, expect, test } from 'vitest';
import { binding } from '../../lib/binding/index.js';
import { readHead } from '../../lib/io/safetensors.js';
import { fails, throwsAtOnce } from '../support.js';
import { temporaryFolder } from './files.js';
import { net, stateOf } from './models.js';

const folder = temporaryFolder();
const rows = 400;
const x = Float32Array.from({ length: 2 * rows }, (_, i) => Math.sin(i));
const y = Float32Array.from({ length: 2 * rows }, (_, i) => ((i + (i >> 1)) % 2 === 0 ? 1 : 0));
const options: FitOptions = { batchSize: 8, epochs: 3, validationSplit: 0.1, shuffle: true };
/** A target so large that its loss overflows, in the given row. */
const broken = (row: number) => y.map((value, i) => (i >> 1 === row ? 3e38 : value));

let files = 0;
/** The place that a save after the failure has, and the file. */
async function saved(net: Model): Promise<{ path: string; training: unknown }> {
  const path = join(folder, `${files++}`);
  await net.save(path);
  return { path, training: JSON.parse((await readHead(path)).metadata.get('state')!).training };
}

describe('a loss that is not finite', () => {
  test.each([40, 111, 222])('in the batch of row %i', async (row) => {
    const straight = net();
    const { history } = await straight.fit(x, y, options);
    const first = net();
    await fails('NON_FINITE', /epoch 1, step \d+/, () => first.fit(x, broken(row), options));
    const { iterations } = first.compiled!.optimizer;
    expect(iterations).toBeGreaterThan(0);
    const { path, training } = await saved(first);
    expect(training).toMatchObject({ epoch: 0, step: iterations });
    const second = net('adam', 9);
    const resumed = await second.fit(x, y, { ...options, resume: path });
    expect(resumed.history).toEqual(history);
    expect(stateOf(second)).toEqual(stateOf(straight));
  });

  test('with hooks, whose calls are counted', async () => {
    const calls: string[] = [];
    const watch = {
      onTrainBatchBegin: (step: number) => void calls.push(`begin ${step}`),
      onTrainBatchEnd: (step: number) => void calls.push(`end ${step}`),
    };
    const plain = { ...options, epochs: 1, shuffle: false, callbacks: [watch] };
    const straight = net();
    await straight.fit(x, y, plain);
    const expected = calls.splice(0);
    const first = net();
    await fails('NON_FINITE', /step 3/, () => first.fit(x, broken(20), plain));
    const { path } = await saved(first);
    const second = net('adam', 9);
    await second.fit(x, y, { ...plain, resume: path });
    expect(calls).toEqual(expected);
    expect(stateOf(second)).toEqual(stateOf(straight));
  });
});

test('a label out of range', async () => {
  const make = () => {
    seed(4);
    const made = sequential([layers.dense({ units: 3, activation: 'softmax', inputShape: [2] })]);
    made.compile({ optimizer: 'adam', loss: 'sparseCategoricalCrossentropy' });
    return made;
  };
  const labels = Int32Array.from({ length: rows }, (_, i) => i % 3);
  const wrong = labels.map((label, i) => (i === 200 ? 3 : label));
  const straight = make();
  await straight.fit(x, labels, options);
  const first = make();
  await fails('LABEL_OUT_OF_RANGE', /3/, () => first.fit(x, wrong, options));
  const { path, training } = await saved(first);
  expect(training).toMatchObject({ step: first.compiled!.optimizer.iterations });
  const second = make();
  await second.fit(x, labels, { ...options, resume: path });
  expect(stateOf(second)).toEqual(stateOf(straight));
});

test('a failing batch leaves variables that the loss assigns to as they were', async () => {
  const counter = variable([0]);
  const counting = (t: SymbolicTensor, p: SymbolicTensor) => {
    counter.assign(ops.add(counter, 1));
    return losses.meanSquaredError()(t, p);
  };
  const made = sequential([layers.dense({ units: 2, inputShape: [2] })]);
  made.compile({ optimizer: 'sgd', loss: counting });
  await made.fit(x, y, { ...options, epochs: 1 });
  expect((await saved(made)).training).toMatchObject({ epoch: 1 });
  const { optimizer } = made.compiled!;
  const validated = counter.dataSync()[0] - optimizer.iterations;
  await fails('NON_FINITE', /./, () => made.fit(x, broken(111), options));
  expect((await saved(made)).training).toMatchObject({ stage: 'batches' });
  expect(counter.dataSync()[0] - optimizer.iterations).toBe(validated);
});

test('a file without the seed of a layer that draws', async () => {
  const first = net();
  await first.fit(x, y, { ...options, epochs: 1 });
  const { path } = await saved(first);
  const bytes = readFileSync(path);
  const at = bytes.indexOf('\\"seeds\\":{\\"dropout');
  expect(at).toBeGreaterThan(0);
  bytes[at + 2] = 0x58;
  await binding.fileWrite(path, bytes.subarray(0, -8), [], true);
  const second = net('adam', 9);
  const before = stateOf(second);
  const fitting = second.fit(x, y, { ...options, resume: path });
  await fails('UNSUPPORTED', /has no seed for "dropout", .*loadModel/, () => fitting);
  expect(stateOf(second)).toEqual(before);
  expect((await loadModel(path)).compiled!.optimizer.iterations).toBe(first.compiled!.optimizer.iterations);
});

describe('states of callbacks that cannot be', () => {
  test.each([
    ['wait', 'EarlyStopping.wait must be a whole number'],
    ['bestEpoch', 'EarlyStopping.bestEpoch must be a whole number'],
    ['best', 'EarlyStopping.best must be a number'],
    ['bestWeights', 'EarlyStopping.bestWeights must be null or tensors'],
    ['written', 'ModelCheckpoint.written must be a list of paths'],
    ['history', 'state.training.history must be an object'],
  ])('without %s', async (field, message) => {
    const path = join(folder, `states-${field}`);
    const states = () => [
      callbacks.earlyStopping({ patience: 5, restoreBestWeights: true }),
      callbacks.modelCheckpoint({ path }),
    ];
    const first = net();
    await first.fit(x, y, { ...options, epochs: 1, callbacks: states() });
    const bytes = readFileSync(path);
    const name = Buffer.from(`\\"${field}\\":`);
    for (let at = bytes.indexOf(name); at >= 0; at = bytes.indexOf(name, at + 1)) bytes[at + 2] = 0x58;
    await binding.fileWrite(path, bytes.subarray(0, -8), [], true);
    const second = net('adam', 9);
    const before = stateOf(second);
    const fitting = second.fit(x, y, { ...options, resume: path, callbacks: states() });
    await fails('CORRUPT_FILE', new RegExp(`${path}.*${message}`), () => fitting);
    expect(stateOf(second)).toEqual(before);
  });

  test('of the history', () => {
    const record = callbacks.history();
    record.checkState({ epoch: [0, 1], history: { loss: [1, Number.NaN] } }, 'a file');
    for (const [state, message] of [
      [{ epoch: [0.5], history: {} }, /a file.epoch must be a list of whole numbers/],
      [{ epoch: [], history: { loss: [1, '2'] } }, /a file.history.loss must be a list of numbers/],
      [{ epoch: [] }, /a file.history must be an object/],
      [null, /a file must be an object/],
    ] as const)
      throwsAtOnce('CORRUPT_FILE', message, () => record.checkState(state, 'a file'));
  });

  test('one that says so is not missed', async () => {
    const path = join(folder, 'optional');
    const remembering = (optionalState: boolean) => ({ optionalState, getState: () => 1, setState: () => undefined });
    for (const optional of [true, false]) {
      const first = net();
      await first.fit(x, y, { ...options, epochs: 1, callbacks: [remembering(optional)] });
      await first.save(path);
      const resumed = () => first.fit(x, y, { ...options, resume: path });
      if (optional) await resumed();
      else await fails('INVALID_ARGUMENT', /callbacks that this fit does not have: Object/, resumed);
    }
  });
});
