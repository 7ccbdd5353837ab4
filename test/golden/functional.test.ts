// Graphs of layers beside Keras: order of layers and weights, training with several inputs and outputs, merging layers.
import {
  input,
  layers,
  type LayerOutput,
  type Functional,
  model,
  regularizers,
  setDevice,
  tensor,
  type Tensor,
} from 'downhill';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { goHome, testDevices } from '../support-devices.js';
import { rowsOn } from '../thin.js';
import { expectClose, flat, makeOptimizer, type OptimizerSpec, read, type Values } from './golden.js';

type LayerSpec = [kind: string, options: Record<string, never>] | Graph;
type Ends = string[] | Record<string, string>;

interface Graph {
  inputs: [name: string, shape: number[]][];
  layers: Record<string, LayerSpec>;
  steps: [value: string, layer: string, given: string[]][];
  outputs: Ends;
}

type Packed = Values | Record<string, Values>;

interface Case extends OptimizerSpec {
  name: string;
  graph: Graph;
  compile: Record<string, never>;
  fit: { validationSplit?: number; validationData?: boolean; sampleWeight?: boolean; freeze?: string };
  layers: string[];
  start: Values[];
  evaluateBefore: Record<string, number>;
  losses: number[];
  history: Record<string, number[]>;
  weights: Values[];
  predict: Packed;
}

interface Golden {
  batchSize: number;
  epochs: number;
  x: Record<string, number[][]>;
  y: Record<string, number[][]>;
  weights: Record<string, number[]>;
  cases: Case[];
  layers: { layer: string; options: Record<string, never>; inputs: Values[]; output: Values }[];
}

const golden = read<Golden>('functional-keras');
const near = { relative: 1e-4, absolute: 2e-7 };

function makeLayer(name: string, [kind, { kernelL2, ...options }]: [string, Record<string, never>]): layers.Layer {
  const kernelRegularizer = kernelL2 === undefined ? null : regularizers.l2({ l2: kernelL2 });
  const all = { name, ...options, ...(kernelRegularizer && { kernelRegularizer }) };
  return layers[kind as 'dense'](all as never);
}

function build({ inputs, layers: specs, steps, outputs }: Graph, name?: string): Functional {
  const starts = inputs.map(([label, shape]) => input({ shape, name: label }));
  const values = new Map<string, LayerOutput>(starts.map((value) => [value.name, value]));
  const made: Record<string, layers.Layer> = Object.fromEntries(
    Object.entries(specs).map(([label, spec]) => [
      label,
      Array.isArray(spec) ? makeLayer(label, spec) : build(spec, label),
    ]),
  );
  for (const [value, layer, given] of steps) {
    const operands = given.map((key) => values.get(key)!);
    values.set(value, made[layer].apply(operands.length === 1 ? operands[0] : operands));
  }
  const ends = Array.isArray(outputs)
    ? outputs.map((key) => values.get(key)!)
    : Object.fromEntries(Object.entries(outputs).map(([key, value]) => [key, values.get(value)!]));
  return model({
    inputs: starts.length === 1 ? starts[0] : starts,
    outputs: Array.isArray(ends) && ends.length === 1 ? ends[0] : ends,
    ...(name && { name }),
  });
}

/** A table's entries in the form of the outputs. */
function byOutput<T>({ outputs }: Graph, table: Record<string, T>): T | T[] | Record<string, T> {
  if (!Array.isArray(outputs)) return Object.fromEntries(Object.keys(outputs).map((key) => [key, table[key]!]));
  return outputs.length === 1 ? table[outputs[0]!]! : outputs.map((key) => table[key]!);
}

function expectScores(
  actual: Record<string, number | number[]>,
  expected: Record<string, number | number[]>,
  where: string,
) {
  expect(Object.keys(actual).sort(), where).toEqual(Object.keys(expected).sort());
  for (const [key, values] of Object.entries(expected)) expectClose(actual[key]!, values, `${where} ${key}`, near);
}

describe.each(testDevices)('graphs of layers beside Keras, on %s', (device) => {
  beforeAll(() => setDevice(device));
  afterAll(goHome);

  it.each(golden.cases)('$name', async (row) => {
    const { graph, fit } = row;
    const net = build(graph);
    expect(net.layers.map(({ name }) => name)).toEqual(row.layers);
    net.setWeights(row.start as number[][]);
    if (fit.freeze) net.getLayer(fit.freeze).trainable = false;
    net.compile({ optimizer: makeOptimizer(row), ...row.compile } as never);
    const x = graph.inputs.map(([name, [size]]) => golden.x[`${name}${size}`]!);
    const y = byOutput(graph, golden.y) as never;
    const weights = fit.sampleWeight ? { sampleWeight: byOutput(graph, golden.weights) as never } : {};
    expectScores(await net.evaluate(x, y, { batchSize: 7, verbose: 0, ...weights }), row.evaluateBefore, 'evaluate');
    const losses: number[] = [];
    const history = await net.fit(x, y, {
      batchSize: golden.batchSize,
      epochs: golden.epochs,
      shuffle: false,
      verbose: 0,
      ...weights,
      ...(fit.validationSplit && { validationSplit: fit.validationSplit }),
      ...(fit.validationData && { validationData: [x, y] as const }),
      callbacks: [
        {
          onTrainBatchEnd: (_, logs) => {
            losses.push(logs!.loss!);
          },
        },
      ],
    });
    expectClose(losses, row.losses, 'losses', near);
    expectScores(history.history, row.history, 'history');
    net.getWeights().forEach((weight, i) => {
      expectClose(weight.dataSync(), row.weights[i], `weight ${i}`, { relative: 1e-4, absolute: 2e-6 });
    });
    const found = await net.predict<never>(x, { batchSize: 7 });
    const each = (values: Packed): Values[] => (Array.isArray(values) ? values : Object.values(values));
    const expected = net.outputs.length === 1 ? [row.predict as Values] : each(row.predict);
    const keys = (values: object) => (Array.isArray(graph.outputs) ? null : Object.keys(values).sort());
    expect(keys(found)).toEqual(keys(row.predict as object));
    const actual: Tensor[] = net.outputs.length === 1 ? [found] : Object.keys(row.predict).map((key) => found[key]);
    const looser = { relative: 2e-4, absolute: 2e-6 };
    actual.forEach((value, i) => {
      expectClose(value.dataSync(), expected[i], `output ${i}`, looser);
    });
  });

  it.each(rowsOn(device, golden.layers, ({ layer }) => layer))(
    '$layer $options',
    ({ layer, options, inputs, output }) => {
      const made = makeLayer('made', [layer, options]);
      const values = inputs.map((value) => tensor(value as number[][]));
      const result = made.apply(made.severalInputs ? values : values[0]!) as Tensor;
      expectClose(result.dataSync(), output, layer, { relative: 1e-5, absolute: 1e-6 });
      const shapes = values.map(({ shape }) => shape.slice(1));
      expect(result.shape.slice(1)).toEqual(made.computeOutputShape(made.severalInputs ? shapes : shapes[0]!));
      expect(flat(output).length).toBe(result.size);
    },
  );
});
