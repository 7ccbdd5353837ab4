// Fits that stop anywhere and go on from a file end as those that never stopped, to the bit.
import { mkdtempSync, readdirSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { callbacks, type FitOptions, type History, layers, type Model, seed, sequential } from 'downhill';
import { afterAll, describe, expect, test } from 'vitest';
import { fails, quadrants } from '../support.js';
import { net, type OptimizerName, optimizersByName, stateOf, withThreads } from './models.js';
import { count } from '../thin.js';

const folder = mkdtempSync(join(tmpdir(), 'downhill-resume-'));
afterAll(() => rmSync(folder, { recursive: true }));
let files = 0;
const fresh = () => join(folder, `${files++}.safetensors`);

const { x, oneHot, labels } = quadrants(90);

interface Run {
  net: Model;
  history: History;
}
const ended = ({ net, history }: Run) => ({ ...stateOf(net), epoch: history.epoch, history: history.history });

/** Everything on: shuffling, dropout, partial batches (81 rows by 16), validation, early stopping. */
function options(more: FitOptions = {}): FitOptions {
  const stopping = callbacks.earlyStopping({ patience: 2, minDelta: 0.05, restoreBestWeights: true });
  return { batchSize: 16, epochs: 6, validationSplit: 0.1, ...more, callbacks: [stopping, ...(more.callbacks ?? [])] };
}

async function run(optimizer: OptimizerName, more: FitOptions = {}, from = 3): Promise<Run> {
  const made = net(optimizer, from);
  return { net: made, history: await made.fit(x, oneHot, options(more)) };
}

test.each(Object.keys(optimizersByName) as OptimizerName[])('after every step, %s', async (optimizer) => {
  const expected = ended(await run(optimizer));
  const path = `${fresh()}-{step}`;
  const watched = await run(optimizer, { callbacks: [callbacks.modelCheckpoint({ path, everySteps: 1 })] });
  expect(ended(watched)).toEqual(expected);
  const { steps } = watched.net.compiled!.optimizer;
  expect(steps % 6).toBe(0);
  for (let step = 1; step <= steps; step += count(1, 5)) {
    const more = {
      resume: path.replace('{step}', `${step}`),
      callbacks: [callbacks.modelCheckpoint({ path: fresh() })],
    };
    // Another seed: all that is random comes from the file.
    expect(ended(await withThreads([1, 2, 4][step % 3], () => run(optimizer, more, 99)))).toEqual(expected);
  }
});

test('with weights of rows and classes', async () => {
  const weighted = { sampleWeight: Array.from(labels, (_, i) => (i % 5) / 2), classWeight: { 1: 3 } };
  const path = `${fresh()}-{step}`;
  const first = await run('adam', { ...weighted, callbacks: [callbacks.modelCheckpoint({ path, everySteps: 1 })] });
  expect(ended(first)).not.toEqual(ended(await run('adam')));
  for (const step of [1, 5, 6, 11]) {
    const more = {
      resume: path.replace('{step}', `${step}`),
      callbacks: [callbacks.modelCheckpoint({ path: fresh() })],
    };
    expect(ended(await run('adam', { ...weighted, ...more }, 99))).toEqual(ended(first));
  }
});

test('at every epoch’s end, also when early stopping has ended the fit', async () => {
  const path = `${fresh()}-{epoch}`;
  const first = await run('adam', { epochs: 30, callbacks: [callbacks.modelCheckpoint({ path })] });
  const epochs = first.history.epoch.length;
  expect(epochs).toBeLessThan(30);
  for (let epoch = 1; epoch <= epochs; epoch++) {
    const more = {
      epochs: 30,
      resume: path.replace('{epoch}', `${epoch}`),
      callbacks: [callbacks.modelCheckpoint({ path: fresh() })],
    };
    expect(ended(await run('adam', more, 5))).toEqual(ended(first));
  }
});

test('saved in any hook: the callbacks after it are called, those before are not', async () => {
  const hooks = ['onEpochBegin', 'onTrainBatchBegin', 'onTrainBatchEnd', 'onTestBatchEnd', 'onEpochEnd'] as const;
  const runWith = (calls: string[], save: ((net: Model, call: string) => Promise<void>) | null, resume?: string) => {
    const recorder = (name: string) => ({
      ...Object.fromEntries(
        hooks.map((hook) => [
          hook,
          async function (this: { model: Model }, i: number) {
            calls.push(`${name} ${hook} ${i}`);
            if (name === 'b')
              await save?.(this.model, `${hook} ${calls.filter((c) => c.startsWith(`b ${hook}`)).length}`);
          },
        ]),
      ),
      getState: () => calls.length,
      setState: (count: number) => calls.push(`${name} resumed after ${count}`),
    });
    return run(
      'momentum',
      { epochs: 2, callbacks: [recorder('a'), recorder('b'), recorder('c')], resume },
      resume ? 8 : 3,
    );
  };
  const expected: string[] = [];
  const files: Record<string, string> = {};
  const first = await runWith(expected, async (model, call) => {
    files[call] = `${fresh()}`;
    await model.save(files[call]);
  });
  expect(Object.keys(files).length).toBe(2 * (1 + 6 + 6 + 1 + 1));
  for (const [call, resume] of Object.entries(files)) {
    const calls: string[] = [];
    expect(ended(await runWith(calls, null, resume)), call).toEqual(ended(first));
    const done = Number(/\d+$/.exec(calls[0])![0]);
    // Validation is done over, and with it its hooks.
    const from = call.startsWith('onTest') ? expected.lastIndexOf('a onTestBatchEnd 0', done) : done;
    expect(calls.slice(3), call).toEqual(expected.slice(from));
  }
});

test('saved by others while it runs, and after an abort', async () => {
  const first = net();
  const control = new AbortController();
  const fitting = first.fit(x, oneHot, { epochs: 1e9, batchSize: 8, signal: control.signal });
  fitting.catch(() => undefined);
  const saved: string[] = [];
  for (let i = 0; i < 6; i++) {
    await new Promise((resolve) => setTimeout(resolve, 7 * i));
    saved.push(fresh());
    await first.save(saved.at(-1)!);
  }
  control.abort(new Error('enough'));
  await expect(fitting).rejects.toThrow('enough');
  saved.push(fresh());
  await first.save(saved.at(-1)!);
  const long = { epochs: Math.ceil(first.compiled!.optimizer.iterations / 12) + 20, batchSize: 8 };
  const alone = net();
  const expected = { history: await alone.fit(x, oneHot, long), net: alone };
  for (const resume of saved) {
    const second = net('adam', 12);
    expect(ended({ history: await second.fit(x, oneHot, { ...long, resume }), net: second })).toEqual(ended(expected));
  }
});

test('a fit that has ended goes on to more epochs', async () => {
  const straight = net('torchAdam');
  const expected = { history: await straight.fit(x, oneHot, { epochs: 5, batchSize: 20 }), net: straight };
  const first = net('torchAdam');
  await first.fit(x, oneHot, { epochs: 2, batchSize: 20 });
  const path = fresh();
  await first.save(path);
  await first.fit(x, oneHot, { epochs: 1, batchSize: 20 }); // what comes later is forgotten
  expect(
    ended({ history: await first.fit(x, oneHot, { epochs: 5, batchSize: 20, resume: path }), net: first }),
  ).toEqual(ended(expected));
});

test('a model saved before its fit begins at the start', async () => {
  const first = net();
  const path = fresh();
  await first.save(path);
  const expected = { history: await first.fit(x, oneHot, { epochs: 2 }), net: first };
  const second = net('adam', 77);
  await second.fit(x, oneHot, { epochs: 1 });
  expect(ended({ history: await second.fit(x, oneHot, { epochs: 2, resume: path }), net: second })).toEqual(
    ended(expected),
  );
});

test('epochs of some steps each, which do not end with the data', async () => {
  const more = { stepsPerEpoch: 4, epochs: 5, batchSize: 16 };
  const path = `${fresh()}-{step}`;
  const first = net();
  const checkpoint = callbacks.modelCheckpoint({ path, everySteps: 1 });
  const expected = { history: await first.fit(x, oneHot, { ...more, callbacks: [checkpoint] }), net: first };
  expect(first.compiled!.optimizer.iterations).toBe(16); // the pass of 6 batches ends in the middle of every other epoch
  for (let step = 1; step <= 16; step++) {
    const second = net('adam', step);
    const resume = path.replace('{step}', `${step}`);
    const again = [callbacks.modelCheckpoint({ path: fresh() })];
    const history = await second.fit(x, oneHot, { ...more, resume, callbacks: again });
    expect(ended({ history, net: second }), `${step}`).toEqual(ended(expected));
  }
});

describe('iterables', () => {
  function* batches() {
    for (let i = 0; i < 9; i++) yield [x.slice(20 * i, 20 * i + 20), oneHot.slice(20 * i, 20 * i + 20)];
  }
  const data = { [Symbol.iterator]: batches };

  test.each([undefined, 4])('stepsPerEpoch %s', async (stepsPerEpoch) => {
    const path = `${fresh()}-{step}`;
    const first = net();
    const checkpoint = callbacks.modelCheckpoint({ path, everySteps: 1 });
    const more = { epochs: 2, stepsPerEpoch, validationData: data };
    const expected = { history: await first.fit(data, { ...more, callbacks: [checkpoint] }), net: first };
    for (let step = 1; step <= first.compiled!.optimizer.iterations; step++) {
      const second = net('adam', step);
      const resume = path.replace('{step}', `${step}`);
      const history = await second.fit(data, {
        ...more,
        resume,
        callbacks: [callbacks.modelCheckpoint({ path: fresh() })],
      });
      expect(ended({ history, net: second }), `${step}`).toEqual(ended(expected));
    }
    const resume = path.replace('{step}', '3');
    const again = { callbacks: [callbacks.modelCheckpoint({ path: fresh() })] };
    await fails('EMPTY_DATA', /3 batches of the iterable were done .* gives only 1/, () =>
      net().fit([[x, oneHot]], { ...more, ...again, validationData: data, resume }),
    );
    await fails('INVALID_ARGUMENT', /other data: rows: null in the file, 90 here/, () =>
      net().fit(x, oneHot, { ...more, ...again, resume, batchSize: 32 }),
    );
  });
});

describe('what does not fit', () => {
  const path = fresh();
  const save = async () => {
    const first = net();
    await first.fit(x, oneHot, {
      epochs: 1,
      batchSize: 16,
      callbacks: [callbacks.earlyStopping()],
      validationSplit: 0.1,
    });
    await first.save(path);
  };

  test('is refused with its differences, and nothing has changed', async () => {
    await save();
    const usual = {
      epochs: 2,
      batchSize: 16,
      validationSplit: 0.1,
      resume: path,
      callbacks: [callbacks.earlyStopping()],
    };
    const refused = async (message: RegExp, made: Model, more: FitOptions = {}, rows = 90) => {
      const before = stateOf(made);
      await fails('INVALID_ARGUMENT', message, () =>
        made.fit(x.slice(0, 2 * rows), oneHot.slice(0, 2 * rows), { ...usual, ...more }),
      );
      expect(stateOf(made)).toEqual(before);
    };
    const other = sequential([
      layers.dense({ units: 8, activation: 'relu', inputShape: [2] }),
      layers.dense({ units: 2, activation: 'softmax' }),
    ]);
    other.compile({ optimizer: 'adam', loss: 'categoricalCrossentropy' });
    await refused(/another model: model.config.layers: 3 items in the file, 2 here/, other);
    await refused(/compiled otherwise: compile.optimizer.className: "Adam" in the file, "SGD" here/, net('sgd'));
    await refused(/other options: batchSize: 16 in the file, 8 here; shuffle: true in the file, false here/, net(), {
      batchSize: 8,
      shuffle: false,
    });
    await refused(
      /other data: rows: 81 in the file, 72 here; rows of validation: 9 in the file, 8 here/,
      net(),
      {},
      80,
    );
    await refused(/holds the state of callbacks that this fit does not have: EarlyStopping/, net(), { callbacks: [] });
    await fails('FILE_ERROR', /nowhere/, () => net().fit(x, oneHot, { ...usual, resume: join(folder, 'nowhere') }));
    await fails('INVALID_ARGUMENT', /resume must be a non-empty string/, () => net().fit(x, oneHot, { resume: '' }));
    await net('adam', 4).fit(x, oneHot, usual);
  });
});

test('sparse labels, an unbuilt model, no validation', async () => {
  const make = (from: number) => {
    seed(from);
    const made = sequential([layers.dense({ units: 2, activation: 'softmax' })]);
    made.compile({ optimizer: 'adam', loss: 'sparseCategoricalCrossentropy' });
    return made;
  };
  const points = Array.from({ length: 90 }, (_, i) => [x[2 * i], x[2 * i + 1]]);
  const path = fresh();
  const first = make(1);
  const calls = [callbacks.modelCheckpoint({ path, everySteps: 4 })];
  const expected = { history: await first.fit(points, labels, { epochs: 2, callbacks: calls }), net: first };
  const second = make(2);
  const again = [callbacks.modelCheckpoint({ path: fresh() })];
  const history = await second.fit(points, labels, { epochs: 2, callbacks: again, resume: path });
  expect(ended({ history, net: second })).toEqual(ended(expected));
  expect(readdirSync(folder).filter((name) => name.endsWith('.tmp'))).toEqual([]);
});

test('seeds of layers within a layer of the user’s own', async () => {
  class Block extends layers.Layer {
    override readonly type = 'Block';
    readonly #drop = this.addLayer(layers.dropout({ rate: 0.5 }));
    readonly #noise = this.addLayer(layers.gaussianNoise({ stddev: 0.5 }));
    override computeOutputShape(shape: readonly number[]) {
      return shape;
    }
    override call(x: layers.Computed, context: layers.CallContext) {
      return this.#noise.apply(this.#drop.apply(x, context), context);
    }
  }
  const make = (from: number) => {
    seed(from);
    const made = sequential([
      layers.dense({ units: 8, inputShape: [2] }),
      new Block('block'),
      layers.dense({ units: 2, activation: 'softmax' }),
    ]);
    made.compile({ optimizer: 'adam', loss: 'categoricalCrossentropy' });
    return made;
  };
  const path = fresh();
  const first = make(1);
  await first.fit(x, oneHot, {
    batchSize: 16,
    callbacks: [callbacks.modelCheckpoint({ path, everySteps: 4, keep: 1 })],
  });
  const second = make(2);
  const again = callbacks.modelCheckpoint({ path: fresh() });
  await second.fit(x, oneHot, { batchSize: 16, resume: path, callbacks: [again] });
  expect(stateOf(second)).toEqual(stateOf(first));
});
