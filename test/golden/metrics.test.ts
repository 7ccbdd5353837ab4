import { readFileSync } from 'node:fs';
import { layers, losses, type Model, metrics, ops, sequential, setDevice, tensor } from 'downhill';
import { afterAll, beforeAll, describe, expect, it, test } from 'vitest';
import { goHome, isEmulated, testDevices } from '../support-devices.js';
import { rowsOn } from '../thin.js';
import { expectClose, flat, read, type Values } from './golden.js';

interface Case {
  metric: keyof typeof factories;
  options: Record<string, unknown>;
  /** The targets are integer labels. */
  labels: boolean;
  /** Places among the data. */
  targets: number;
  predictions: number;
  result: Values;
  weighted: Values;
}

const golden = read<{ weights: number[]; data: Values[][]; cases: Case[] }>('metrics');
const factories = metrics as unknown as Record<string, (options: object) => metrics.Metric>;
const tolerance = { relative: 3e-6, absolute: 2e-7 };

const shapeOf = (values: Values): number[] => (Array.isArray(values) ? [values.length, ...shapeOf(values[0]!)] : []);

/** A model whose outputs are its inputs, so that the metrics of evaluate are those of given predictions. */
function echo(shape: number[]): Model {
  return sequential([layers.activation({ activation: (x) => ops.identity(x), inputShape: shape })]);
}

function numbersOf(logs: Record<string, number>, label: string): number[] {
  if (label in logs) return [logs[label]!];
  return Object.keys(logs)
    .filter((key) => key.startsWith(`${label}_`))
    .map((key) => logs[key]!);
}

describe.each(testDevices)('metrics beside Keras, on %s', (device) => {
  beforeAll(() => setDevice(device));
  afterAll(goHome);

  it.each(rowsOn(device, golden.cases, ({ metric }) => metric))('$metric $options', async (row) => {
    const [given, predictions] = [golden.data[row.targets]!, golden.data[row.predictions]!];
    const metric = factories[row.metric]!(row.options);
    const targets = row.labels ? Int32Array.from(flat(given)) : (given as number[][]);
    const direct = metric(
      row.labels ? tensor(targets as Int32Array, [given.length], 'int32') : targets,
      predictions as number[][],
    );
    expectClose(await direct.data(), row.result, 'of all rows', tolerance);

    const net = echo(shapeOf(predictions).slice(1));
    net.compile({
      optimizer: 'sgd',
      loss: (_, p) => ops.mul(p, 0),
      metrics: [factories[row.metric]!({ ...row.options, name: 'all' })],
      weightedMetrics: [factories[row.metric]!({ ...row.options, name: 'some' })],
    });
    for (const batchSize of isEmulated(device) ? [16] : [16, 5, 100]) {
      const logs = await net.evaluate(predictions as number[][], targets, { batchSize, sampleWeight: golden.weights });
      expectClose(numbersOf(logs, 'all'), row.result, `in batches of ${batchSize}`, tolerance);
      expectClose(numbersOf(logs, 'some'), row.weighted, `weighted, in batches of ${batchSize}`, tolerance);
    }
  });
});

test('every loss and metric of the package has its line in the docs', () => {
  const text = readFileSync(new URL('../../docs/losses.md', import.meta.url), 'utf8');
  const missing = Object.keys({ ...losses, ...metrics }).filter((name) => !text.includes(`\`${name}`));
  expect(missing).toEqual([]);
});

test('every metric of the package is here', () => {
  const known = new Set<string>(golden.cases.map(({ metric }) => metric));
  // accuracy stands in fit-keras.json, and zeroOneLoss is 1 − accuracy; losses that Keras has no metric class for are in losses.json.
  const elsewhere = ['accuracy', 'zeroOneLoss', 'huber', 'binaryFocalCrossentropy', 'categoricalFocalCrossentropy'];
  expect([...known, ...elsewhere].sort()).toEqual(Object.keys(metrics).sort());
});
