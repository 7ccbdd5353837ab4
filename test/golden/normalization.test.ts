// Normalizations and small layers beside Keras: outputs, gradients, state after a step; whole runs and what evaluation makes of moving averages.
import {
  grad,
  layers,
  ops,
  optimizers,
  sequential,
  setDevice,
  type SymbolicTensor,
  tensor,
  type Tensor,
} from 'downhill';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { goHome, testDevices } from '../support-devices.js';
import { rowsOn } from '../thin.js';
import { expectClose, makeOptimizer, type OptimizerSpec, read, type Values } from './golden.js';

type Spec = [kind: string, options: Record<string, never>];

interface LayerRow {
  layer: string;
  options: Record<string, never>;
  training: boolean;
  x: Values;
  weights: Values[];
  factors: Values;
  y: Values;
  gradients: Values[];
  after: Values[];
}

interface AdaptedRow {
  options: Record<string, never>;
  data: Values;
  mean: Values;
  variance: Values;
  y: Values;
}

interface Run extends OptimizerSpec {
  name: string;
  layers: Spec[];
  fit: { validationSplit?: number };
  start: Values[];
  losses: number[];
  history: Record<string, number[]>;
  weights: Values[];
  evaluate: Record<string, number>;
}

interface Golden {
  batchSize: number;
  epochs: number;
  x: number[][];
  y: number[][];
  layers: LayerRow[];
  adapted: AdaptedRow[];
  runs: Run[];
}

const golden = read<Golden>('normalization');
const near = { relative: 1e-5, absolute: 2e-6 };
const make = (kind: string, options: object) => layers[kind as 'dense'](options as never) as unknown as layers.Layer;

describe.each(testDevices)('normalization beside Keras, on %s', (device) => {
  beforeAll(() => setDevice(device));
  afterAll(goHome);

  it.each(rowsOn(device, golden.layers, ({ layer, training }) => `${layer} ${training}`))(
    '$layer $options, training $training',
    async (row) => {
      const made = make(row.layer, row.options);
      const x = tensor(row.x as number[][]);
      made.build(x.shape.slice(1));
      expect(made.weights.length).toBe(row.weights.length);
      const start = () => {
        for (const [i, { variable }] of made.weights.entries()) variable.assign(tensor(row.weights[i] as number[]));
      };
      start();
      const factors = tensor(row.factors as number[][]);
      const loss = (input: Tensor | SymbolicTensor) =>
        ops.sum(ops.mul(made.apply(input, { training: row.training }), factors)) as SymbolicTensor;
      const y = made.apply(x, { training: row.training }) as Tensor;
      expectClose(y.dataSync(), row.y, 'output', near);
      start();
      expectClose((await grad(loss)(x)).dataSync(), row.gradients[0], 'gradient of the input', near);
      start();
      const trained = made.weights.filter(({ trainable }) => trainable);
      expect(trained.length).toBe(row.gradients.length - 1);
      if (trained.length > 0) {
        const descent = optimizers.sgd({ learningRate: 1 });
        const before = trained.map(({ variable }) => variable.dataSync().slice());
        await descent.minimize(
          () => loss(x),
          trained.map(({ variable }) => variable),
        );
        trained.forEach(({ name, variable }, i) => {
          const gradient = before[i]!.map((value, j) => value - variable.dataSync()[j]!);
          expectClose(gradient, row.gradients[i + 1], `gradient of ${name}`, { relative: 1e-5, absolute: 1e-5 });
        });
      } else made.apply(x, { training: row.training });
      made.weights.forEach(({ name, trainable, variable }, i) => {
        if (!trainable) expectClose(variable.dataSync(), row.after[i], `${name} after a step`, near);
      });
    },
  );

  it.each(golden.adapted)('normalization $options, adapted', ({ options, data, mean, variance, y }) => {
    const made = layers.normalization(options);
    made.adapt(data as number[][]);
    expectClose(made.weights[0]!.variable.dataSync(), mean, 'mean', near);
    expectClose(made.weights[1]!.variable.dataSync(), variance, 'variance', near);
    expectClose((made.apply(data as number[][]) as Tensor).dataSync(), y, 'output', near);
  });

  it.each(golden.runs)('$name', async (row) => {
    const net = sequential(
      row.layers.map(([kind, options], i) =>
        make(kind, { ...options, ...(i === 0 && { inputShape: [golden.x[0]!.length] }) }),
      ),
    );
    net.setWeights(row.start as number[][]);
    net.compile({ optimizer: makeOptimizer(row), loss: 'categoricalCrossentropy', metrics: ['accuracy'] });
    const losses: number[] = [];
    const { history } = await net.fit(golden.x, golden.y, {
      batchSize: golden.batchSize,
      epochs: golden.epochs,
      shuffle: false,
      verbose: 0,
      ...row.fit,
      callbacks: [
        {
          onTrainBatchEnd: (_, logs) => {
            losses.push(logs!.loss!);
          },
        },
      ],
    });
    const looser = { relative: 2e-4, absolute: 2e-5 };
    expectClose(losses, row.losses, 'losses', looser);
    expect(Object.keys(history).sort()).toEqual(Object.keys(row.history).sort());
    for (const [key, values] of Object.entries(row.history)) expectClose(history[key]!, values, key, looser);
    net.getWeights().forEach((weight, i) => {
      expectClose(weight.dataSync(), row.weights[i], `weight ${i}`, looser);
    });
    const scores = await net.evaluate(golden.x, golden.y, { batchSize: 7, verbose: 0 });
    for (const [key, value] of Object.entries(row.evaluate))
      expectClose(scores[key]!, value, `evaluate ${key}`, looser);
  });
});
