import { grad, losses, setDevice, type Tensor, tensor } from 'downhill';
import { afterAll, beforeAll, describe, expect, it, test } from 'vitest';
import { goHome, testDevices } from '../support-devices.js';
import { rowsOn } from '../thin.js';
import { expectClose, type LossSpec, makeLoss, read, type Values } from './golden.js';

interface Case {
  name: string;
  loss: LossSpec['name'];
  options: LossSpec['options'];
  targets: number[] | number[][];
  /** Also of rank 3. */
  predictions: number[][];
  perExample: Values;
  mean: number;
  gradient: Values;
}

const golden = read<{ cases: Case[] }>('losses');

describe.each(testDevices)('losses beside Keras, on %s', (device) => {
  beforeAll(() => setDevice(device));
  afterAll(goHome);

  it.each(rowsOn(device, golden.cases, ({ loss }) => loss))('$loss: $name', async (row) => {
    const loss = makeLoss({ name: row.loss, options: row.options });
    const targets = tensor(row.targets, undefined, row.loss === 'sparseCategoricalCrossentropy' ? 'int32' : 'float32');
    const predictions = tensor(row.predictions);
    const tolerance = { relative: 3e-6, absolute: 2e-7 };

    const perExample = loss.perExample(targets, predictions);
    expect(perExample.shape).toEqual([row.predictions.length]);
    expectClose(await perExample.data(), row.perExample, 'per example', tolerance);
    const mean = loss(targets, predictions);
    expect(mean.shape).toEqual([]);
    expectClose(await mean.data(), row.mean, 'mean', tolerance);

    const gradient = await grad((p: Tensor) => loss(targets, p))(predictions);
    expectClose(await gradient.data(), row.gradient, 'gradient', { relative: 2e-5, absolute: 1e-6 });
  });
});

test('every loss of the package is here', () => {
  const known = new Set<string>(golden.cases.map(({ loss }) => loss));
  expect([...known].sort()).toEqual(Object.keys(losses).sort());
});
