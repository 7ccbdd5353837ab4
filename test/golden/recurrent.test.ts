import { grad, layers, ops, optimizers, sequential, setDevice, tensor, type Tensor } from 'downhill';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { goHome, testDevices } from '../support-devices.js';
import { rowsOn } from '../thin.js';
import { expectClose, flat, makeOptimizer, type OptimizerSpec, read, type Values } from './golden.js';

interface LayerSpec {
  /** Its factory. */
  layer: string;
  /** [factory, options] stands for a layer. */
  options: Record<string, unknown>;
}

interface Case extends LayerSpec {
  x: Values;
  y: Values;
  outputShape: number[];
  weights: Values[];
  names: string[];
  /** The loss is the sum of the outputs times these. */
  factors: Values;
  gradientOfInput: Values;
  gradients: Values[];
}

interface Network extends OptimizerSpec {
  name: string;
  layers: LayerSpec[];
  x: Values;
  y: number[];
  batchSize: number;
  epochs: number;
  start: Values[];
  losses: number[];
  final: Values[];
  predict: Values;
}

const golden = read<{ shape: number[]; cases: Case[]; networks: Network[] }>('recurrent');
const inner = (value: unknown): unknown => {
  if (!Array.isArray(value)) return value;
  return make({ layer: value[0] as string, options: value[1] as Record<string, unknown> });
};
function make({ layer, options }: LayerSpec, base: Record<string, unknown> = {}): layers.Layer {
  const own = Object.fromEntries(Object.entries(options).map(([key, value]) => [key, inner(value)]));
  return layers[layer as 'lstm']({ ...base, ...own } as unknown as layers.LSTMOptions);
}
const floats = (values: Values, shape: readonly number[]) => tensor(Float32Array.from(flat(values)), shape);

const titled = golden.cases.map((row, i) => ({ ...row, title: `${i}: ${row.layer} ${JSON.stringify(row.options)}` }));

describe.each(testDevices)('recurrent layers beside Keras, on %s', (device) => {
  beforeAll(() => setDevice(device));
  afterAll(goHome);

  it.each(rowsOn(device, titled, ({ layer }) => layer))('$title', async (row) => {
    const layer = make(row, { inputShape: golden.shape });
    const net = sequential([layer], { device });
    expect(layer.computeOutputShape(golden.shape)).toEqual(row.outputShape);
    net.setWeights(row.weights as number[][]);
    expect(layer.weights.map(({ name }) => name)).toEqual(row.names);
    const x = floats(row.x, [2, ...golden.shape]);
    const y = layer.apply(x) as Tensor;
    expect(y.shape).toEqual([2, ...row.outputShape]);
    expectClose(await y.data(), row.y, 'output', { relative: 1e-5, absolute: 3e-6 });

    const factors = floats(row.factors, y.shape);
    const loss = (input: Parameters<typeof layer.apply>[0]) => ops.sum(ops.mul(layer.apply(input) as Tensor, factors));
    const [ofInput] = await grad(loss, [0])(x);
    expectClose(await ofInput.data(), row.gradientOfInput, 'gradient of the input', {
      relative: 1e-4,
      absolute: 1e-5,
    });
    // A step of rate 1 subtracts the gradient.
    net.compile({ optimizer: optimizers.sgd({ learningRate: 1 }), loss: (t, p) => ops.sum(ops.mul(t, p)) });
    await net.trainOnBatch(x, factors);
    for (const [i, weight] of net.getWeights().entries()) {
      const after = await weight.data();
      const gradient = flat(row.weights[i]).map((before, j) => before - after[j]!);
      const tolerance = { relative: 1e-4, absolute: 2e-5 };
      expectClose(gradient, row.gradients[i], `gradient of ${row.names[i]}`, tolerance);
    }
  });

  it.each(golden.networks)('training of $name', async (row) => {
    const net = sequential([layers.input({ shape: golden.shape }), ...row.layers.map((spec) => make(spec))], {
      device,
    });
    net.setWeights(row.start as number[][]);
    net.compile({ optimizer: makeOptimizer(row), loss: 'sparseCategoricalCrossentropy' });
    const x = floats(row.x, [row.y.length, ...golden.shape]);
    const { history } = await net.fit(x, Int32Array.from(row.y), {
      batchSize: row.batchSize,
      epochs: row.epochs,
      shuffle: false,
      verbose: 0,
    });
    expectClose(history.loss!, row.losses, 'loss of epoch', { relative: 1e-4 });
    for (const [i, weight] of net.getWeights().entries())
      expectClose(await weight.data(), row.final[i], `final weight ${i}`, { absolute: 1e-4 });
    const predicted = await net.predict(x);
    expectClose(await predicted.data(), row.predict, 'predict', { absolute: 1e-4 });
  });
});
