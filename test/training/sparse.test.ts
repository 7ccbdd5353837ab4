// Sparse rows in place of dense ones: the same training, to rounding, at every turn that dense rows can take.
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import {
  callbacks,
  data,
  deviceMemory,
  diagnostics,
  type FitOptions,
  layers,
  type Model,
  ops,
  optimizers,
  seed,
  sequential,
  setDevice,
  setMemoryLimit,
  setThreads,
  tensor,
} from 'downhill';
import { afterAll, afterEach, describe, expect, test } from 'vitest';
import { close, fails, random } from '../support.js';
import { accelerators, goHome, goTo, isEmulated, places, testDevices } from '../support-devices.js';
import { rowsOn } from '../thin.js';

const threads = 2;
const folder = mkdtempSync(join(tmpdir(), 'sparse-'));
afterEach(() => setThreads(threads));
afterAll(() => {
  goHome();
  rmSync(folder, { recursive: true, force: true });
});

const columns = 53;
const rows = 203; // a partial batch at the end
const y = Int32Array.from({ length: rows }, (_, i) => (i * 7) % 3);

/** Rows of all lengths, one of them full and some empty; in no order, some columns twice. */
function make(count = rows, draws = random(5)): data.SparseRows {
  const indptr = new Int32Array(count + 1);
  const [indices, values]: number[][] = [[], []];
  for (let row = 0; row < count; row++) {
    const length = row === 60 ? columns : row % 9 === 4 ? 0 : Math.floor(draws() * 12);
    for (let k = 0; k < length; k++) {
      indices.push(row === 60 ? k : Math.floor(draws() * columns));
      values.push(2 * draws() - 0.5);
    }
    indptr[row + 1] = indices.length;
  }
  const shape = [count, columns];
  return new data.SparseRows({ shape, indptr, indices: Int32Array.from(indices), values: Float32Array.from(values) });
}
const x = make();
const dense = x.toDense();
/** The same, every row in the order of its columns. */
const sorted = (() => {
  const { indptr, indices, values } = make();
  for (let row = 0; row < rows; row++) {
    const [begin, end] = [indptr[row], indptr[row + 1]];
    const order = Array.from({ length: end - begin }, (_, i) => begin + i).sort((p, q) => indices[p] - indices[q]);
    const picked = order.map((k) => [indices[k], values[k]]);
    picked.forEach(([column, value], i) => {
      indices[begin + i] = column;
      values[begin + i] = value;
    });
  }
  return { indptr, indices, values };
})();

interface Build {
  device?: string;
  dropout?: number;
  units?: number;
}

function build({ device = 'cpu', dropout = 0.4, units = 9 }: Build = {}): Model {
  const net = sequential(
    [
      layers.input({ shape: [columns] }),
      ...(dropout > 0 ? [layers.dropout({ rate: dropout, seed: 3 })] : []),
      layers.dense({ units, activation: 'tanh' }),
      layers.dense({ units: 3, activation: 'softmax' }),
    ],
    { device },
  );
  const optimizer = optimizers.adam({ learningRate: 0.02 });
  net.compile({ optimizer, loss: 'sparseCategoricalCrossentropy', metrics: ['accuracy'] });
  return net;
}

const bits = (net: Model) => net.getWeights().map((weight) => [...weight.dataSync()]);

async function trained(given: data.SparseRows | typeof dense, options: FitOptions, how: Build = {}) {
  seed(7);
  const net = build(how);
  const { history } = await net.fit(given, y, { batchSize: 16, epochs: 2, verbose: 0, ...options });
  return { net, history, weights: bits(net) };
}

const weights = Float32Array.from({ length: rows }, (_, i) => (i % 4) / 2);
const ways: Record<string, FitOptions> = {
  shuffled: {},
  'in order': { shuffle: false },
  'one order': { shuffle: 'once' },
  'with replacement': { sampling: { replacement: true } },
  'with replacement, by steps': { sampling: { replacement: true }, stepsPerEpoch: 5 },
  'in groups': { groups: Int32Array.from({ length: rows }, (_, i) => i % 20), validationSplit: 0.3 },
  'held back': { validationSplit: 0.2, validationBatchSize: 7 },
  weighted: { sampleWeight: weights, classWeight: { 0: 2 } },
  'by steps': { stepsPerEpoch: 5, epochs: 4 },
};

describe.each(testDevices)('on %s', (device) => {
  test.each(rowsOn(device, Object.entries(ways), ([name]) => name.split(', ')[0]))(
    'a fit is that of the dense rows: %s',
    async (_, options) => {
      const [a, b] = [await trained(x, options, { device }), await trained(dense, options, { device })];
      for (const key of Object.keys(b.history)) close(a.history[key], b.history[key], 1e-5);
      close(a.weights, b.weights, 2e-4);
      const [found, expected] = [await a.net.predict(x, { batchSize: 32 }), await b.net.predict(dense)];
      close(found, expected, 2e-4);
      close((await a.net.evaluate(x, y)).loss, (await b.net.evaluate(dense, y)).loss, 1e-4);
    },
  );

  test('validationData, trainOnBatch, batches of an iterable and rows that are all empty', async () => {
    const parts = [0, 64, 128].map((begin): [data.SparseRows, Int32Array] => [
      x.slice(begin, Math.min(begin + 64, rows)),
      y.subarray(begin, Math.min(begin + 64, rows)),
    ]);
    const empty = new data.SparseRows({
      shape: [64, columns],
      indptr: new Int32Array(65),
      indices: new Int32Array(0),
      values: new Float32Array(0),
    });
    const run = async (as: (part: data.SparseRows) => data.SparseRows | typeof dense) => {
      seed(1);
      const net = build({ device });
      const batches = parts.map(([part, targets]) => [as(part), targets]);
      const { history } = await net.fit(batches, { epochs: 2, verbose: 0, validationData: [as(x), y] });
      const { loss } = await net.trainOnBatch(as(parts[1][0]), parts[1][1]);
      const rest = await net.trainOnBatch(as(empty), parts[1][1]);
      return { losses: [...history.loss, ...history.val_loss, loss, rest.loss], weights: bits(net) };
    };
    const [a, b] = [await run((part) => part), await run((part) => part.toDense())];
    close(a.losses, b.losses, 1e-5);
    close(a.weights, b.weights, 2e-4);
  });

  test('many outputs', async () => {
    const options: FitOptions = { epochs: 1, batchSize: 128 };
    const how = { device, units: device === 'simt' ? 70 : 301, dropout: 0 };
    close((await trained(x, options, how)).weights, (await trained(dense, options, how)).weights, 2e-4);
  });
});

test('rows that are drawn again and again have room', async () => {
  const long = new data.SparseRows({
    shape: [5, 900],
    indptr: Int32Array.from([0, 0, 900, 900, 901, 901]),
    indices: Int32Array.from([...Array(900).keys(), 5]),
    values: new Float32Array(901).fill(0.01),
  });
  const net = sequential([layers.dense({ units: 1, inputShape: [900] })]);
  net.compile({ optimizer: 'sgd', loss: 'meanSquaredError' });
  const sampling = { replacement: true };
  const { history } = await net.fit(long, [1, 2, 3, 4, 5], { batchSize: 64, stepsPerEpoch: 9, sampling, verbose: 0 });
  expect(history.loss[0]).toBeGreaterThan(0);
});

// Enough values that the columns are cut into ranges, most of them in the first columns.
describe.each(places)('large products, $title', (place) => {
  const draws = random(3);
  const [many, wide, filled] = isEmulated(place.device) ? [40, 30, 10] : [700, 500, 100];
  const indptr = Int32Array.from({ length: many + 1 }, (_, i) => i * filled);
  const indices = new Int32Array(many * filled);
  for (let i = 0; i < many; i++) {
    const row = Int32Array.from({ length: filled }, () => Math.floor(wide ** draws()) % wide);
    indices.set(row.sort(), i * filled);
  }
  const values = Float32Array.from(indices, () => draws() - 0.5);
  const a = new data.SparseRows({ shape: [many, wide], indptr, indices, values }).toDense();
  afterAll(goHome);

  test.each([1, 2, 3, 8, 9, 40])('%d columns', async (n) => {
    goTo(place);
    for (const transposeA of [false, true]) {
      const shape = [transposeA ? many : wide, n];
      const b = tensor(
        Float32Array.from({ length: shape[0] * n }, () => draws() - 0.5),
        shape,
      );
      const product = () => ops.sparseMatmul(indptr, indices, values, b, { transposeA, columns: wide });
      const found = product();
      close(found, ops.matmul(a, b, { transposeA }), 1e-4);
      for (const count of place.threads) {
        setThreads(count);
        expect(product().dataSync()).toEqual(found.dataSync());
      }
    }
  });
});

test('every instruction set has the same bits', () => {
  const results: unknown[] = [];
  for (const place of places.filter(({ isa }) => isa)) {
    goTo(place);
    const b = tensor(
      Float32Array.from({ length: columns * 21 }, (_, i) => Math.sin(i)),
      [columns, 21],
    );
    const d = ops.sparseMatmul(sorted.indptr, sorted.indices, sorted.values, b);
    const options = { transposeA: true, columns };
    results.push([d.dataSync(), ops.sparseMatmul(sorted.indptr, sorted.indices, sorted.values, d, options).dataSync()]);
  }
  goHome();
  for (const result of results) expect(result).toEqual(results[0]);
});

test('no number of threads changes a bit', async () => {
  const results = [];
  for (const count of [1, 2, 3, 5]) {
    setThreads(count);
    const { history, weights } = await trained(x, { batchSize: 64 }, { units: 300 });
    results.push({ history, weights });
  }
  for (const result of results) expect(result).toEqual(results[0]);
});

test('a fit that is resumed in the middle of an epoch has the bits of one that never stopped', async () => {
  const whole = await trained(x, { epochs: 3 });
  seed(7);
  const net = build();
  const path = join(folder, 'cut.safetensors');
  const save = callbacks.modelCheckpoint({ path, everySteps: 19 });
  const cut = new AbortController();
  let steps = 0;
  const stop = callbacks.lambda({ onTrainBatchEnd: () => void (++steps === 24 && cut.abort()) });
  const options: FitOptions = { batchSize: 16, epochs: 3, verbose: 0 };
  await expect(net.fit(x, y, { ...options, callbacks: [save, stop], signal: cut.signal })).rejects.toThrow();
  const other = build();
  const { history } = await other.fit(x, y, { ...options, resume: path });
  expect(bits(other)).toEqual(whole.weights);
  expect(history).toEqual(whole.history);
});

test.each(accelerators)(
  'sparse rows that do not fit on %s are gathered by the host, with the same result',
  async (device) => {
    const values = 150_000;
    const indptr = Int32Array.from({ length: 501 }, (_, i) => i * (values / 500));
    const indices = Int32Array.from({ length: values }, (_, k) => (k % 300) * 2);
    const big = new data.SparseRows({
      shape: [500, 600],
      indptr,
      indices,
      values: Float32Array.from({ length: values }, (_, k) => Math.sin(k)),
    });
    const targets = Int32Array.from({ length: 500 }, (_, i) => i % 2);
    const run = async () => {
      seed(2);
      const net = sequential([layers.dense({ units: 2, activation: 'softmax', inputShape: [600] })], { device });
      net.compile({ optimizer: 'adam', loss: 'sparseCategoricalCrossentropy' });
      const { history } = await net.fit(big, targets, { batchSize: 4, verbose: 0 });
      const result = { history, weights: bits(net) };
      net.dispose();
      return result;
    };
    const whole = await run();
    setMemoryLimit(device, deviceMemory(device).bytes + 4 * values);
    try {
      expect(await run()).toEqual(whole);
    } finally {
      setMemoryLimit(device, undefined);
    }
  },
);

test('diagnostics see the dense rows', async () => {
  const net = build({ dropout: 0 });
  const [a, b] = [await diagnostics.gradientNorm(net, x, y), await diagnostics.gradientNorm(net, dense, y)];
  close([a.norm, a.loss], [b.norm, b.loss], 1e-5);
});

test('a loss that is not finite names the layer', async () => {
  const net = build();
  const spoilt = net.getWeights();
  net.setWeights(spoilt.map((weight, i) => (i === 0 ? ops.add(weight, Number.NaN) : weight)));
  const text = /epoch 1, step 1\..*The first layer whose output is not finite is "dense" \(Dense\)/s;
  await fails('NON_FINITE', text, () => net.fit(x, y, { verbose: 0 }));
});

test('what cannot take sparse rows says so', async () => {
  const flat = sequential([layers.flatten({ inputShape: [columns] }), layers.dense({ units: 1 })]);
  flat.compile({ optimizer: 'sgd', loss: 'meanSquaredError' });
  await fails('UNSUPPORTED', /"flatten" \(Flatten\) cannot take sparse rows.*toDense/, () => flat.fit(x, y));
  await fails('UNSUPPORTED', /"flatten"/, () => flat.predict(x));
  const bare = sequential([layers.dropout({ rate: 0.5, inputShape: [columns] })]);
  await fails('UNSUPPORTED', /output "dropout" of model "sequential" would be sparse/, () => bare.predict(x));
  const net = build();
  const narrow = new data.SparseRows({ ...x.slice(0, 0), shape: [0, 5], indptr: new Int32Array(1) });
  await fails('EMPTY_DATA', /x has no rows/, () => net.predict(narrow));
  const other = sequential([layers.dense({ units: 1, inputShape: [5] })]);
  await fails('SHAPE_MISMATCH', /x must have shape \[n, 5\].*sparse rows \[203, 53\]/, () => other.predict(x));
});

test('values and indices are looked at again when they are used', async () => {
  const net = build();
  const spoilt = make();
  spoilt.values[7] = Number.NaN;
  const row = spoilt.indptr.findIndex((start) => start > 7) - 1;
  await fails('NON_FINITE', new RegExp(`x\\[row ${row}, element ${spoilt.indices[7]}\\] is NaN`), () =>
    net.fit(spoilt, y, { verbose: 0 }),
  );
  const outside = make();
  outside.indices[9] = columns;
  await fails('OUT_OF_RANGE', /x: indices must lie from 0 to 52; element 9 is 53/, () => net.predict(outside));
  const backwards = make();
  backwards.indptr[3] = backwards.indptr[5] + 1;
  await fails('OUT_OF_RANGE', /x: indptr must ascend/, () => net.predict(backwards));
});

describe.each(testDevices)('ops.sparseMatmul on %s', (device) => {
  const product = async (indptr: number[], indices: number[]) => {
    setDevice(device);
    try {
      const values = new Float32Array(indices.length).fill(1);
      return await ops.sparseMatmul(Int32Array.from(indptr), Int32Array.from(indices), values, [[1], [2], [4]]).array();
    } finally {
      setDevice('cpu');
    }
  };

  test('refuses indices that are out of range or descend, and rows that do', async () => {
    expect(await product([0, 2, 2, 3], [0, 2, 1])).toEqual([[5], [0], [2]]);
    await fails(
      'OUT_OF_RANGE',
      /index 3 at position 1 is out of range; expected 0 to 2, ascending within each row/,
      () => product([0, 2], [0, 3]),
    );
    await fails('OUT_OF_RANGE', /index -1 at position 0/, () => product([0, 2], [-1, 2]));
    await fails('OUT_OF_RANGE', /index 0 at position 2/, () => product([0, 1, 3], [2, 1, 0]));
    await fails('OUT_OF_RANGE', /indptr 1 at position 2 .*expected 0 to 3, ascending\./, () =>
      product([0, 2, 1], [0, 1, 2]),
    );
    await fails('OUT_OF_RANGE', /indptr 4 at position 1/, () => product([0, 4], [0, 1, 2]));
    await fails('OUT_OF_RANGE', /indptr -1 at position 0/, () => product([-1, 2], [0, 1, 2]));
  });
});

test('sparse products check shapes', async () => {
  await fails('SHAPE_MISMATCH', /b must have 2 rows, one for each column/, () =>
    ops.sparseMatmul([0, 1], [0], [1], [[1], [2], [3]], { columns: 2 }),
  );
  await fails('SHAPE_MISMATCH', /an index for each value/, () => ops.sparseMatmul([0, 1], [0], [1, 2], [[1]]));
  await fails('INVALID_ARGUMENT', /number of columns/, () =>
    ops.sparseMatmul([0, 1], [0], [1], [[1]], { transposeA: true }),
  );
});
