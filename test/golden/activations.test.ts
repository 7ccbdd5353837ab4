import { grad, layers, ops, sequential, setDevice, type Tensor, tensor } from 'downhill';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { goHome, testDevices } from '../support-devices.js';
import { rowsOn } from '../thin.js';
import { expectClose, read, type Values } from './golden.js';

interface Case {
  name: keyof typeof calls;
  attributes: Record<string, boolean>;
  values: Values;
  gradients: Values;
}

interface Golden {
  points: number[];
  elementwise: Case[];
  rows: number[][];
  seeds: number[][];
  rowwise: Case[];
}

const calls = {
  relu: ops.relu,
  leakyRelu: ops.leakyRelu,
  elu: ops.elu,
  selu: ops.selu,
  gelu: ops.gelu,
  silu: ops.silu,
  sigmoid: ops.sigmoid,
  tanh: ops.tanh,
  softplus: ops.softplus,
  softsign: ops.softsign,
  softmax: ops.softmax,
  logSoftmax: ops.logSoftmax,
};

const golden = read<Golden>('activations');
// The oracle is float64: what is below the normal range may be flushed to zero.
const TOLERANCE = { relative: 3e-6, absolute: 2e-7 };

function call({ name, attributes }: Case, x: Tensor): Tensor {
  if (!attributes.approximate) return (calls[name] as (x: Tensor) => Tensor)(x);
  return ops.gelu(x, { approximate: true });
}

describe.each(testDevices)('activations beside PyTorch, on %s', (device) => {
  beforeAll(() => setDevice(device));
  afterAll(goHome);

  it.each(rowsOn(device, golden.elementwise, ({ name }) => name))('$name $attributes', async (row) => {
    const x = tensor(golden.points);
    expectClose(await call(row, x).data(), row.values, 'value', TOLERANCE);
    const gradient = await grad((v: Tensor) => ops.sum(call(row, v)))(x);
    // 1 - tanh² of the approximate gelu cancels far left of 0, in PyTorch's float32 too.
    const absolute = row.attributes.approximate ? 1e-6 : TOLERANCE.absolute;
    expectClose(await gradient.data(), row.gradients, 'gradient', { ...TOLERANCE, absolute });
  });

  it.each(golden.rowwise)('$name', async (row) => {
    const x = tensor(golden.rows);
    expectClose(await call(row, x).data(), row.values, 'value', TOLERANCE);
    const weighted = (v: Tensor) => ops.sum(ops.mul(call(row, v), tensor(golden.seeds)));
    expectClose(await (await grad(weighted)(x)).data(), row.gradients, 'gradient', TOLERANCE);
  });

  it.each(golden.elementwise.filter(({ attributes }) => !attributes.approximate))('$name, as a layer', async (row) => {
    const net = sequential([layers.activation({ activation: row.name, inputShape: [golden.points.length] })]);
    const y = await net.predict(Float32Array.from(golden.points));
    expect(y.shape).toEqual([1, golden.points.length]);
    expectClose(await y.data(), row.values, 'value', TOLERANCE);
  });
});
