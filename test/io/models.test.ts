// Models to files and back.
import { readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import fc from 'fast-check';
import {
  callbacks,
  layers,
  loadModel,
  losses,
  type Model,
  modelFromJSON,
  ops,
  optimizers,
  seed,
  sequential,
  type Tensor,
} from 'downhill';
import { describe, expect, test } from 'vitest';
import { binding } from '../../lib/binding/index.js';
import { randomState } from '../../lib/random.js';
import { fails, quadrants, randomArray } from '../support.js';
import { temporaryFolder } from './files.js';
import { net, type OptimizerName, optimizersByName, stateOf, withThreads } from './models.js';

const folder = temporaryFolder();
let files = 0;
const fresh = () => join(folder, `${files++}.safetensors`);
const { x, oneHot } = quadrants(60);

const dense = fc.record({
  kind: fc.constant('dense' as const),
  units: fc.integer({ min: 1, max: 9 }),
  activation: fc.constantFrom('linear', 'relu', 'tanh', 'sigmoid', 'softplus'),
  useBias: fc.boolean(),
  trainable: fc.boolean(),
});
const dropout = fc.record({ kind: fc.constant('dropout' as const), rate: fc.constantFrom(0, 0.25, 0.5) });
const flatten = fc.record({ kind: fc.constant('flatten' as const) });
const stack = fc.array(fc.oneof(dense, dropout, flatten), { maxLength: 5 });

function build(parts: typeof stack extends fc.Arbitrary<infer T> ? T : never, optimizer: OptimizerName): Model {
  const made = sequential([
    layers.input({ shape: [2] }),
    ...parts.map((part) => {
      if (part.kind === 'dropout') return layers.dropout({ rate: part.rate });
      if (part.kind === 'flatten') return layers.flatten();
      const { kind: _, ...options } = part;
      return layers.dense(options);
    }),
    layers.dense({ units: 2, activation: 'softmax', name: 'optimizer' }),
  ]);
  made.compile({ optimizer: optimizersByName[optimizer](), loss: 'categoricalCrossentropy', metrics: ['accuracy'] });
  return made;
}

const values = (tensor: Tensor) => [...tensor.dataSync()];
const train = async (made: Model) => {
  seed(123);
  const { history } = await made.fit(x, oneHot, { epochs: 2, batchSize: 16 });
  return {
    history,
    ...stateOf(made),
    more: await made.trainOnBatch(x, oneHot),
    evaluated: await made.evaluate(x, oneHot),
  };
};

test('random models: equal predictions, equal continued training', async () => {
  const names = fc.constantFrom(...(Object.keys(optimizersByName) as OptimizerName[]));
  await fc.assert(
    fc.asyncProperty(
      stack,
      names,
      fc.integer({ min: 0, max: 5 }),
      fc.constantFrom(1, 2, 4),
      async (parts, name, steps, threads) => {
        const first = build(parts, name);
        for (let i = 0; i < steps; i++) await first.trainOnBatch(x, oneHot);
        const path = fresh();
        await first.save(path);
        const draws = randomState();
        const second = await loadModel(path);
        expect(randomState()).toEqual(draws);
        expect(second.toJSON()).toEqual(first.toJSON());
        expect(stateOf(second)).toEqual(stateOf(first));
        expect(values(await second.predict(x))).toEqual(values(await first.predict(x)));
        expect(await withThreads(threads, () => train(second))).toEqual(await train(first));
        const again = fresh();
        await first.save(path);
        await second.save(again);
        // Where the two differ is what they were: all bytes are the same.
        expect(readFileSync(again).equals(readFileSync(path))).toBe(true);
      },
    ),
    { numRuns: 40 },
  );
});

test('a model that is not compiled, and one that was not trained', async () => {
  const plain = sequential([layers.dense({ units: 3, inputShape: [2] })], { name: 'plain' });
  const path = fresh();
  await plain.save(path);
  const loaded = await loadModel(path);
  expect(loaded.name).toBe('plain');
  expect(values(await loaded.predict(x))).toEqual(values(await plain.predict(x)));
  await fails('NOT_COMPILED', /compile/, () => loaded.fit(x, oneHot));
  const untrained = net('adam');
  await untrained.save(path);
  expect(stateOf(await loadModel(path))).toEqual(stateOf(untrained));
  await fails('NOT_BUILT', /no input shape/, () => sequential([layers.dense({ units: 1 })]).save(path));
  expect(stateOf(await loadModel(path))).toEqual(stateOf(untrained));
  untrained.dispose();
  await fails('DISPOSED', /disposed/, () => untrained.save(path));
});

test('classes and functions of the user’s own', async () => {
  const halved: losses.LossFunction = (y, p) => ops.mul(losses.meanSquaredError()(y, p), 0.5);
  class Scale extends layers.Layer {
    override readonly type = 'Scale';
    constructor(readonly options: layers.LayerOptions & { by: number }) {
      super('scale', options);
    }
    override getConfig() {
      return { ...super.getConfig(), by: this.options.by };
    }
    override computeOutputShape(shape: readonly number[]) {
      return [...shape];
    }
    override call(input: layers.Computed) {
      return ops.mul(input, this.options.by);
    }
  }
  const made = sequential([layers.dense({ units: 2, inputShape: [2] }), new Scale({ by: 3 })]);
  made.compile({ optimizer: 'sgd', loss: halved, metrics: [halved] });
  const path = fresh();
  await made.save(path);
  await fails('UNKNOWN_NAME', /\d+\.safetensors: model.config.layers\[1\].*unknown layer "Scale"/, () =>
    loadModel(path),
  );
  await fails('UNKNOWN_NAME', /\d+\.safetensors: .*"halved"/, () => loadModel(path, { customObjects: { Scale } }));
  const loaded = await loadModel(path, { customObjects: { Scale, halved } });
  expect(await loaded.evaluate(x, oneHot)).toEqual(await made.evaluate(x, oneHot));
  const history = await made.fit(x, oneHot, { resume: path });
  expect((await loaded.fit(x, oneHot, { resume: path })).history).toEqual(history.history);
});

test('during a fit: files of whole steps, and the fit ends as without', async () => {
  const wide = () => {
    seed(4);
    const made = sequential([
      layers.dense({ units: 200, activation: 'relu', inputShape: [2] }),
      layers.dense({ units: 2, activation: 'softmax' }),
    ]);
    made.compile({ optimizer: 'adam', loss: 'categoricalCrossentropy' });
    return made;
  };
  const options = { epochs: 2500, batchSize: 8 };
  const alone = wide();
  await alone.fit(x, oneHot, options);
  const made = wide();
  let running = true;
  const fitting = made.fit(x, oneHot, options).finally(() => {
    running = false;
  });
  const path = fresh();
  const seen = new Set<number>();
  while (running) {
    await made.save(path);
    const loaded = await loadModel(path);
    const { iterations } = loaded.compiled!.optimizer;
    if (seen.has(iterations)) continue;
    seen.add(iterations);
    // So many steps from the start give these weights.
    const again = wide();
    const { training } = JSON.parse(metadataOf(path).state) as { training?: { epoch: number; step: number } };
    if (!training || iterations === 0 || seen.size > 4) continue;
    let left = iterations;
    const stop = {
      onTrainBatchEnd: () => {
        if (--left === 0) again.stopTraining = true;
      },
    };
    await again.fit(x, oneHot, { ...options, callbacks: [stop] });
    expect(stateOf(loaded)).toEqual(stateOf(again));
    expect(8 * training.epoch + training.step).toBe(iterations);
  }
  await fitting;
  expect(seen.size).toBeGreaterThan(0); // more on an idle machine
  expect(stateOf(made)).toEqual(stateOf(alone));
});

function metadataOf(path: string): Record<string, string> {
  const bytes = readFileSync(path);
  const header = bytes.subarray(8, 8 + Number(bytes.readBigUInt64LE()));
  return (JSON.parse(header.toString()) as { __metadata__: Record<string, string> }).__metadata__;
}

/** The file with texts of its metadata changed, and without a checksum that would tell. */
function edited(path: string, change: (metadata: Record<string, string>) => void): string {
  const bytes = readFileSync(path);
  const length = Number(bytes.readBigUInt64LE());
  const header = JSON.parse(bytes.subarray(8, 8 + length).toString()) as Record<string, never>;
  const metadata = header.__metadata__ as Record<string, string>;
  change(metadata);
  const json = Buffer.from(JSON.stringify(header));
  const start = Buffer.alloc(8);
  start.writeBigUInt64LE(BigInt(json.length));
  const body = Buffer.concat([start, json, bytes.subarray(8 + length, -8)]);
  const target = fresh();
  writeFileSync(target, Buffer.concat([body, checksum(body)]));
  return target;
}

/** XXH64 as the library computes it. */
function checksum(body: Buffer): Buffer {
  let hash = 0n;
  const M = (1n << 64n) - 1n;
  const [P1, P2, P3, P4, P5] = [
    0x9e3779b185ebca87n,
    0xc2b2ae3d27d4eb4fn,
    0x165667b19e3779f9n,
    0x85ebca77c2b2ae63n,
    0x27d4eb2f165667c5n,
  ];
  const rotate = (value: bigint, by: bigint) => ((value << by) | (value >> (64n - by))) & M;
  const round = (lane: bigint, input: bigint) => (rotate((lane + input * P2) & M, 31n) * P1) & M;
  let at = 0;
  if (body.length >= 32) {
    const lanes = [(P1 + P2) & M, P2, 0n, (M + 1n - P1) & M];
    for (; at + 32 <= body.length; at += 32)
      for (let i = 0; i < 4; i++) lanes[i] = round(lanes[i]!, body.readBigUInt64LE(at + 8 * i));
    hash = lanes.reduce((sum, lane, i) => sum + rotate(lane, [1n, 7n, 12n, 18n][i]!), 0n) & M;
    for (const lane of lanes) hash = ((hash ^ round(0n, lane)) * P1 + P4) & M;
  } else hash = P5;
  hash = (hash + BigInt(body.length)) & M;
  for (; at + 8 <= body.length; at += 8) hash = (rotate(hash ^ round(0n, body.readBigUInt64LE(at)), 27n) * P1 + P4) & M;
  for (; at + 4 <= body.length; at += 4)
    hash = (rotate(hash ^ ((BigInt(body.readUInt32LE(at)) * P1) & M), 23n) * P2 + P3) & M;
  for (; at < body.length; at++) hash = (rotate(hash ^ ((BigInt(body[at]!) * P5) & M), 11n) * P1) & M;
  hash = ((hash ^ (hash >> 33n)) * P2) & M;
  hash = ((hash ^ (hash >> 29n)) * P3) & M;
  hash ^= hash >> 32n;
  const bytes = Buffer.alloc(8);
  bytes.writeBigUInt64LE(hash);
  return bytes;
}

describe('descriptions that lie', () => {
  const path = fresh();
  const prepared = (async () => {
    const made = net();
    await made.fit(x, oneHot, { batchSize: 16, callbacks: [callbacks.earlyStopping({ monitor: 'loss' })] });
    await made.save(path);
  })();
  const change = async (name: string, edit: (text: string) => string | undefined) => {
    await prepared;
    return edited(path, (metadata) => {
      const text = edit(metadata[name]!);
      if (text === undefined) delete metadata[name];
      else metadata[name] = text;
    });
  };

  test('an edit that says the same is read', async () => {
    const same = await change('model', (text) => JSON.stringify(JSON.parse(text), null, 1));
    expect(stateOf(await loadModel(same))).toEqual(stateOf(await loadModel(path)));
  });

  test.each([
    ['format', () => 'other', 'FOREIGN_FILE', /of another library/],
    ['format_version', () => '2', 'UNSUPPORTED', /format 2 by downhill .* Update downhill/],
    ['format_version', () => 'x', 'CORRUPT_FILE', /format_version/],
    ['content', () => 'weights', 'FOREIGN_FILE', /net.loadWeights/],
    ['content', () => 'cat', 'CORRUPT_FILE', /content/],
    ['model', () => undefined, 'CORRUPT_FILE', /model/],
    ['model', (text: string) => text.slice(1), 'CORRUPT_FILE', /no JSON/],
    [
      'model',
      (text: string) => text.replace('"units":16', '"units":1600000000'),
      'CORRUPT_FILE',
      /"dense\/kernel" must be F32 of shape \[2, 1600000000\]/,
    ],
    ['model', (text: string) => text.replace('"units":16', '"units":-1'), 'CORRUPT_FILE', /units/],
    [
      'model',
      (text: string) => text.replace('"name":"dense"', '"name":"other"'),
      'CORRUPT_FILE',
      /"other\/kernel" is missing/,
    ],
    [
      'model',
      (text: string) => text.replace('"inputShape":[2]', '"inputShape":[3]'),
      'SHAPE_MISMATCH|CORRUPT_FILE',
      /./,
    ],
    ['compile', () => undefined, 'CORRUPT_FILE', /nobody knows its tensor "optimizer\/momentum\/dense\/kernel"/],
    ['compile', () => '[]', 'CORRUPT_FILE', /compile must be an object/],
    ['compile', (text: string) => text.replace('Adam', 'Eve'), 'UNKNOWN_NAME', /"Eve"/],
    ['state', () => undefined, 'CORRUPT_FILE', /state must be an object/],
    ['state', (text: string) => text.replace('"iterations":4', '"iterations":-4'), 'CORRUPT_FILE', /state.iterations/],
    [
      'state',
      (text: string) => text.replace('"iterations":4', '"iterations":1e300'),
      'CORRUPT_FILE',
      /state.iterations/,
    ],
  ] as const)('%s %#', async (name, edit, code, message) => {
    const file = await change(name, edit as (text: string) => string | undefined);
    const bytes = binding.memory().bytes;
    let error: unknown;
    await loadModel(file).catch((thrown: unknown) => {
      error = thrown;
    });
    expect(error).toMatchObject({
      code: expect.stringMatching(`^(${code})$`),
      message: expect.stringMatching(message),
    });
    expect((error as Error).message).toContain(file);
    expect(binding.memory().bytes - bytes).toBeLessThan(100_000);
  });

  test.each([
    ['"epoch":1', '"epoch":-1', /training.epoch/],
    ['"sums":[', '"sums":["x",', /sums must be a list of 406 numbers/],
    ['"stage":"onEpochBegin"', '"stage":"cat"', /stage must be one of/],
    ['"kind":"arrays"', '"kind":"cat"', /kind must be one of/],
    ['"callbacks":[[', '"callbacks":[7,[', /callbacks must be a list/],
    ['"seed":', '"seed":-', /seed/],
    ['"pass":0,"within":false', '"pass":null,"within":true', /feed.pass must be the number/],
  ])('state.training: %s as %s', async (from, to, message) => {
    const file = await change('state', (text) => {
      const at = text.indexOf('"training"');
      expect(text.indexOf(from, at)).toBeGreaterThan(0);
      return text.slice(0, at) + text.slice(at).replace(from, to);
    });
    const made = net();
    const before = stateOf(made);
    const more = { batchSize: 16, resume: file, callbacks: [callbacks.earlyStopping({ monitor: 'loss' })] };
    await fails('CORRUPT_FILE', message, () => made.fit(x, oneHot, more));
    expect(stateOf(made)).toEqual(before);
  });
});

test('a file damaged anywhere: an error, and the model as it was', async () => {
  const made = net();
  await made.fit(x, oneHot, { epochs: 1 });
  const path = fresh();
  await made.save(path);
  const bytes = readFileSync(path);
  const other = net('adam', 9);
  const before = stateOf(other);
  const target = fresh();
  for (let at = 0; at < bytes.length; at += 37) {
    const damaged = Buffer.from(bytes);
    damaged[at]! ^= 1 << (at % 8);
    writeFileSync(target, damaged);
    for (const read of [
      () => loadModel(target),
      () => other.loadWeights(target),
      () => other.fit(x, oneHot, { resume: target }),
    ])
      await expect(read(), `${at}`).rejects.toMatchObject({ name: 'DownhillError' });
  }
  expect(stateOf(other)).toEqual(before);
});

test('modelFromJSON of a file’s description, and what the file says', async () => {
  const made = net();
  const path = fresh();
  await made.save(path);
  const random = randomState();
  const { model, compile, state, ...rest } = metadataOf(path);
  expect(rest).toEqual({
    format: 'downhill',
    format_version: '1',
    library_version: expect.any(String),
    content: 'model',
  });
  expect(modelFromJSON(model!).toJSON()).toEqual(made.toJSON());
  expect(JSON.parse(compile!)).toMatchObject({ optimizer: { className: 'Adam' } });
  expect(JSON.parse(state!)).toEqual({ random, iterations: 0, steps: 0, seeds: { dropout: expect.any(Number) } });
  const momentum = sequential([layers.dense({ units: 1, inputShape: [2] })]);
  momentum.compile({ optimizer: optimizers.sgd({ momentum: 0.5 }), loss: 'mse' });
  await momentum.trainOnBatch(x, x.slice(0, 60));
  await momentum.save(path);
  const bytes = readFileSync(path);
  const header = JSON.parse(bytes.subarray(8, 8 + Number(bytes.readBigUInt64LE())).toString()) as object;
  expect(Object.keys(header)).toEqual([
    '__metadata__',
    'dense/kernel',
    'dense/bias',
    'optimizer/momentum/dense/kernel',
    'optimizer/momentum/dense/bias',
    'downhill.checksum',
  ]);
});

test('saving waits for no garbage collector, and keeps no memory', async () => {
  const big = sequential([layers.dense({ units: 1000, inputShape: [1000] })]);
  big.compile({ optimizer: 'adam', loss: 'mse' });
  await big.trainOnBatch(randomArray(1000, 1), randomArray(1000, 2));
  const before = binding.memory().bytes;
  for (let i = 0; i < 5; i++) await big.save(join(folder, 'big'));
  expect(binding.memory().bytes - before).toBeLessThan(1e6);
  big.dispose();
});
