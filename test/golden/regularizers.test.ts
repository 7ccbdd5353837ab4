// Regularizers beside Keras: values, gradients, and what a fit makes of penalties on kernels, biases and activities.
import { layers, optimizers, regularizers, sequential, setDevice, tensor, valueAndGrad } from 'downhill';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { goHome, testDevices } from '../support-devices.js';
import { rowsOn } from '../thin.js';
import { expectClose, read } from './golden.js';

interface Spec {
  regularizer: 'l1' | 'l2' | 'l1l2' | 'orthogonal';
  options: Record<string, number | string>;
}

interface Golden {
  penalties: (Spec & { weights: number[][]; value: number; gradient: number[][] })[];
  batchSize: number;
  epochs: number;
  x: number[][];
  y: number[][];
  xTest: number[][];
  yTest: number[][];
  fits: {
    name: string;
    layers: { layer: 'dense' | 'activation' | 'flatten'; options: Record<string, unknown> }[];
    start: number[][][];
    evaluateBefore: Record<string, number>;
    history: Record<string, number[]>;
    final: number[][][];
  }[];
}

const golden = read<Golden>('regularizers');

const make = ({ regularizer, options }: Spec) => regularizers[regularizer](options as never);

function makeLayer({ layer, options }: Golden['fits'][number]['layers'][number], inputShape?: number[]) {
  const made = Object.entries(options).map(([key, value]) => [
    key,
    key.endsWith('Regularizer') ? make(value as Spec) : value,
  ]);
  return (layers[layer] as (options: unknown) => layers.Layer)({
    ...Object.fromEntries(made),
    ...(inputShape && { inputShape }),
  });
}

describe.each(testDevices)('regularizers beside Keras, on %s', (device) => {
  beforeAll(() => setDevice(device));
  afterAll(goHome);

  it.each(rowsOn(device, golden.penalties, ({ regularizer }) => regularizer))(
    '$regularizer $options',
    async ({ weights, value, gradient, ...spec }) => {
      const [found, slope] = await valueAndGrad(make(spec))(tensor(weights));
      expectClose(await found.data(), value, 'value', { relative: 2e-6, absolute: 1e-8 });
      expectClose(await slope.data(), gradient, 'gradient', { relative: 1e-5, absolute: 2e-7 });
    },
  );

  it.each(golden.fits)('fit: $name', async (row) => {
    const net = sequential(row.layers.map((spec, i) => makeLayer(spec, i === 0 ? [golden.x[0]!.length] : undefined)));
    net.setWeights(row.start);
    net.compile({
      optimizer: optimizers.sgd({ learningRate: 0.21, momentum: 0.6 }),
      loss: 'categoricalCrossentropy',
      metrics: ['accuracy'],
    });
    const before = await net.evaluate(golden.xTest, golden.yTest, { batchSize: 7, verbose: 0 });
    for (const [key, value] of Object.entries(row.evaluateBefore))
      expectClose(before[key]!, value, `evaluate ${key}`, { relative: 1e-5 });
    const { history } = await net.fit(golden.x, golden.y, {
      batchSize: golden.batchSize,
      epochs: golden.epochs,
      shuffle: false,
      verbose: 0,
      validationSplit: 0.2,
    });
    expect(Object.keys(history).sort()).toEqual(Object.keys(row.history).sort());
    for (const [key, values] of Object.entries(row.history))
      expectClose(history[key]!, values, key, { relative: 3e-5, absolute: 1e-7 });
    for (const [i, weight] of net.getWeights().entries())
      expectClose(await weight.data(), row.final[i], `weight ${i}`, { absolute: 3e-5 });
  });
});
