// Layers beside Keras: outputs, gradients of input and weights, trainings of small networks with equal initial weights.
import { grad, layers, type Model, ops, optimizers, sequential, setDevice, tensor, type Tensor } from 'downhill';
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

interface Row {
  /** Of one example; by default that of the file. */
  shape?: number[];
  x: Values;
}

interface Case extends LayerSpec, Row {
  y: Values;
  outputShape: number[];
  weights: Values[];
  names: string[];
  /** The loss is the sum of the outputs times these. */
  factors: Values;
  gradientOfInput: Values;
  gradients: Values[];
}

interface Network extends OptimizerSpec, Row {
  name: string;
  layers: LayerSpec[];
  y: number[];
  batchSize: number;
  epochs: number;
  start: Values[];
  losses: number[];
  final: Values[];
  predict: Values;
}

const isSpec = (value: unknown): value is [string, LayerSpec['options']] =>
  Array.isArray(value) && typeof value[0] === 'string';

function make({ layer, options }: LayerSpec, base: Record<string, unknown> = {}): layers.Layer {
  const own = Object.entries(options).map(([key, value]) => [
    key,
    isSpec(value) ? make({ layer: value[0], options: value[1] }) : value,
  ]);
  return layers[layer as 'lstm']({ ...base, ...Object.fromEntries(own) });
}
const floats = (values: Values, shape: readonly number[]) => tensor(Float32Array.from(flat(values)), shape);

/** Gradients of the sum of the outputs times `factors`, by weight; null for what has none. */
export async function expectGradients(
  net: Model,
  x: Tensor | Tensor[],
  factors: Tensor | Tensor[],
  { weights, gradients }: { weights: readonly Values[]; gradients: readonly (Values | null)[] },
  names: readonly string[],
  absolute = 2e-5,
): Promise<void> {
  if (weights.length === 0) return;
  // A step of rate 1 subtracts the gradient.
  net.compile({ optimizer: optimizers.sgd({ learningRate: 1 }), loss: (t, p) => ops.sum(ops.mul(t, p)) });
  await net.trainOnBatch(x as Tensor, factors as Tensor);
  for (const [i, weight] of net.getWeights().entries()) {
    const wanted = gradients[i];
    if (wanted === null) continue;
    const after = await weight.data();
    const gradient = flat(weights[i]).map((before, j) => before - after[j]!);
    expectClose(gradient, wanted, `gradient of ${names[i]}`, { relative: 1e-4, absolute });
  }
}

/** The tests of a golden file. */
export function describeLayers(title: string, file: string): void {
  const golden = read<{ shape?: number[]; cases: Case[]; networks: Network[] }>(file);
  const shapeOf = (row: Row) => (row.shape ?? golden.shape) as number[];
  const titled = golden.cases.map((row, i) => ({ ...row, title: `${i}: ${row.layer} ${JSON.stringify(row.options)}` }));

  describe.each(testDevices)(`${title} beside Keras, on %s`, (device) => {
    beforeAll(() => setDevice(device));
    afterAll(goHome);

    it.each(rowsOn(device, titled, ({ layer }) => layer))('$title', async (row) => {
      const shape = shapeOf(row);
      const layer = make(row, { inputShape: shape });
      const net = sequential([layer], { device });
      expect(layer.computeOutputShape(shape)).toEqual(row.outputShape);
      net.setWeights(row.weights as number[][]);
      expect(layer.weights.map(({ name }) => name)).toEqual(row.names);
      const x = floats(row.x, [2, ...shape]);
      const y = layer.apply(x) as Tensor;
      expect(y.shape).toEqual([2, ...row.outputShape]);
      expectClose(await y.data(), row.y, 'output', { relative: 1e-5, absolute: 3e-6 });

      const factors = floats(row.factors, y.shape);
      const loss = (input: Tensor) => ops.sum(ops.mul(layer.apply(input) as Tensor, factors));
      const [ofInput] = await grad(loss as never, [0])(x);
      const near = { relative: 1e-4, absolute: 1e-5 };
      expectClose(await ofInput!.data(), row.gradientOfInput, 'gradient of the input', near);
      await expectGradients(net, x, factors, row, row.names);
    });

    it.each(golden.networks)('training of $name', async (row) => {
      const shape = shapeOf(row);
      const net = sequential([layers.input({ shape }), ...row.layers.map((spec) => make(spec))], { device });
      net.setWeights(row.start as number[][]);
      net.compile({ optimizer: makeOptimizer(row), loss: 'sparseCategoricalCrossentropy' });
      const x = floats(row.x, [row.y.length, ...shape]);
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
}
