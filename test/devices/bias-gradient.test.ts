// The gradients of a layer's weights and bias in one step of the plan, xᵀ · d with the sums of d's columns: on every device, against
// sums in double.
import {
  compile,
  layers,
  type ModelOptions,
  ops,
  optimizers,
  sequential,
  setThreads,
  type SymbolicTensor,
  tensor,
} from 'downhill';
import { afterAll, describe, expect, it } from 'vitest';
import { randomArray } from '../support.js';
import { accelerators, bitsOf, goHome, goTo, isEmulated, places, testDevices } from '../support-devices.js';

afterAll(goHome);

/** Rows, inputs and units: one row, one unit, edges of tiles, several tiles, and k long enough to be split. */
const shapes = [
  [1, 3, 5],
  [3, 1, 1],
  [17, 5, 33],
  [130, 70, 65],
  [300, 12, 10],
  [64, 9, 260],
  [2000, 3, 40],
] as const;

const gradients = compile((x: SymbolicTensor, d: SymbolicTensor) => ({
  weights: ops.matmul(x, d, { transposeA: true }),
  bias: ops.sum(d, 0),
}));

/** Σ d by columns, and Σ |d|. */
function columns(d: Float32Array, units: number) {
  const sums = new Float64Array(units);
  const sizes = new Float64Array(units);
  d.forEach((value, i) => {
    sums[i % units]! += value;
    sizes[i % units]! += Math.abs(value);
  });
  return { sums, sizes };
}

describe.each(places)('on $title', (place) => {
  it.each(shapes)('%i rows, %i inputs, %i units', async (rows, inputs, units) => {
    goTo(place);
    const [x, d] = [randomArray(rows * inputs, 1), randomArray(rows * units, 2)];
    const [tx, td] = [tensor(x, [rows, inputs]), tensor(d, [rows, units])];
    expect(gradients.describe(tx, td)).toMatch(/matmul\+columnSums/);
    const { sums, sizes } = columns(d, units);
    let first: Uint32Array | undefined;
    for (const count of place.threads) {
      if (place.device === 'cpu') setThreads(count);
      const { weights, bias } = await gradients(tx, td);
      expect(bias.shape).toEqual([units]);
      const found = (await bias.data()) as Float32Array;
      found.forEach((value, j) => {
        expect(Math.abs(value - sums[j]!), `column ${j}`).toBeLessThanOrEqual(1e-6 * sizes[j]!);
      });
      const product = await weights.data();
      for (const [i, j] of [
        [0, 0],
        [inputs - 1, units - 1],
      ] as const) {
        let exact = 0;
        for (let r = 0; r < rows; r++) exact += x[r * inputs + i]! * d[r * units + j]!;
        expect(Math.abs(product[i * units + j]! - exact)).toBeLessThanOrEqual(1e-6 * rows);
      }
      first ??= bitsOf(found);
      expect(bitsOf(found)).toEqual(first);
    }
    // On the CPU they are those of `sum`.
    if (place.device === 'cpu') expect(first).toEqual(bitsOf((await ops.sum(td, 0).data()) as Float32Array));
  });

  it('NaN and infinity reach their columns alone', async () => {
    goTo(place);
    const d = randomArray(40 * 6, 3);
    d[39 * 6 + 1] = Number.NaN;
    d[4] = Number.POSITIVE_INFINITY;
    const { bias } = await gradients(tensor(randomArray(40 * 3, 4), [40, 3]), tensor(d, [40, 6]));
    expect([...(await bias.data())].map(Number.isFinite)).toEqual([true, false, true, true, false, true]);
  });

  it('a layer over sequences', async () => {
    goTo(place);
    const sequences = compile((x: SymbolicTensor, d: SymbolicTensor) => [
      ops.matmul(ops.reshape(x, [-1, 3]), ops.reshape(d, [-1, 4]), { transposeA: true }),
      ops.sum(d, [0, 1]),
    ]);
    const [x, d] = [randomArray(5 * 7 * 3, 5), randomArray(5 * 7 * 4, 6)];
    const [tx, td] = [tensor(x, [5, 7, 3]), tensor(d, [5, 7, 4])];
    expect(sequences.describe(tx, td)).toMatch(/matmul\+columnSums/);
    const bias = (await (await sequences(tx, td))[1]!.data()) as Float32Array;
    const { sums, sizes } = columns(d, 4);
    for (const [j, value] of bias.entries()) expect(Math.abs(value - sums[j]!)).toBeLessThanOrEqual(1e-6 * sizes[j]!);
  });
});

// The layer's product rounds d with tf32 and bfloat16; the sums beside it do not.
describe.each(testDevices)('a training step on %s', (device) => {
  const precisions: NonNullable<ModelOptions['precision']>[] = accelerators.includes(device)
    ? ['float32', 'tf32', 'bfloat16']
    : ['float32', 'bfloat16'];
  it.each(precisions)('%s', async (precision) => {
    const [rows, inputs, units] = isEmulated(device) ? [150, 10, 20] : [4000, 100, 200];
    const net = sequential([layers.dense({ units, inputShape: [inputs] })], { device, precision });
    const [x, t, start] = [randomArray(rows * inputs, 7), randomArray(rows * units, 8), randomArray(units, 9)];
    net.setWeights([new Float32Array(inputs * units), start]); // so that d is exact whatever the precision: 2 (b − t) / count
    net.compile({ optimizer: optimizers.sgd({ learningRate: 1 }), loss: 'meanSquaredError' });
    await net.trainOnBatch(tensor(x, [rows, inputs]), tensor(t, [rows, units]));
    expect(net.program('train').describe()).toMatch(/matmul\+columnSums/);

    const d = t.map((value, i) => (2 * (start[i % units]! - value)) / (rows * units));
    const [kernel, bias] = net.getWeights().map((weight) => weight.dataSync());
    const { sums, sizes } = columns(d, units);
    bias!.forEach((value, j) => {
      const error = Math.abs(start[j]! - value - sums[j]!);
      expect(error, `column ${j}`).toBeLessThanOrEqual(1e-6 * sizes[j]! + 2 ** -24);
    });
    let worst = 0;
    for (let i = 0; i < inputs; i++)
      for (let j = 0; j < units; j++) {
        let [exact, size] = [0, 0];
        for (let r = 0; r < rows; r++) {
          exact += x[r * inputs + i]! * d[r * units + j]!;
          size += Math.abs(x[r * inputs + i]! * d[r * units + j]!);
        }
        worst = Math.max(worst, Math.abs(-kernel![i * units + j]! - exact) / size);
      }
    expect(worst).toBeLessThan({ float32: 1e-6, tf32: 2 ** -10, bfloat16: 2 ** -7 }[precision]);
    if (precision !== 'float32') expect(worst).toBeGreaterThan(1e-5);
  });
});
