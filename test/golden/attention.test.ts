import { grad, input, layers, model, ops, setDevice, type Tensor, tensor } from 'downhill';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { goHome, testDevices } from '../support-devices.js';
import { expectClose, flat, read, type Values } from './golden.js';
import { expectGradients } from './layer-runs.js';

interface KerasCase {
  layer: 'multiHeadAttention' | 'attention' | 'additiveAttention';
  options: Record<string, unknown>;
  inputs: Values[];
  mask: Values | null;
  y: Values;
  weights: Values[];
  paths: string[];
  /** The loss is the sum of the outputs times these. */
  factors: Values;
  gradientsOfInputs: Values[];
  gradients: Values[];
}

interface DotProduct {
  options: { causal?: boolean; scale?: number; mask?: 'bool' | 'float' };
  inputs: Values[];
  mask: Values | null;
  y: Values;
  factors: Values;
  gradients: Values[];
}

interface MultiHead {
  numHeads: number;
  keyDim: number;
  x: Values;
  y: Values;
  weights: Values[];
}

const golden = read<{ keras: KerasCase[]; dotProduct: DotProduct[]; multiHead: MultiHead }>('attention');
const kNear = { relative: 1e-5, absolute: 1e-5 };

function shapeOf(values: Values | number): number[] {
  return Array.isArray(values) ? [values.length, ...shapeOf(values[0] as Values)] : [];
}
const tensorOf = (values: Values) => tensor(Float32Array.from(flat(values)), shapeOf(values));

describe.each(testDevices)('attention beside Keras and PyTorch, on %s', (device) => {
  beforeAll(() => setDevice(device));
  afterAll(goHome);

  it.each(golden.keras.map((row, i) => ({ ...row, title: `${i}: ${row.layer} ${JSON.stringify(row.options)}` })))(
    '$title',
    async (row) => {
      const layer = layers[row.layer](row.options as never) as layers.Layer;
      const xs = row.inputs.map(tensorOf);
      const mask = row.mask && tensorOf(row.mask);
      const list = <T>(values: readonly T[], last: T | null): T[] => {
        const key = last !== null && values.length === 2 ? [values[1]!] : [];
        return [...values, ...key, ...(last === null ? [] : [last])];
      };
      const given = (values: readonly unknown[]) =>
        (values.length === 1 && !mask ? values[0] : list(values, mask)) as Tensor[];
      const symbols = xs.map(({ shape }) => input({ shape: shape.slice(1) }));
      const symbolicMask = mask && input({ shape: mask.shape.slice(1) });
      const inputs = symbolicMask ? [...symbols, symbolicMask] : symbols;
      const net = model({ inputs, outputs: layer.apply(list(symbols, symbolicMask || null)), device });
      const paths = layer.weights.map(({ path }) => path);
      expect(paths.map((path) => path.split('/').slice(1))).toEqual(row.paths.map((path) => path.split('/').slice(1)));
      net.setWeights(layer.weights.map(({ shape }, i) => tensor(Float32Array.from(flat(row.weights[i]!)), shape)));
      const y = layer.apply(given(xs)) as Tensor;
      expect(y.shape).toEqual(shapeOf(row.y));
      expectClose(await y.data(), row.y, 'output', kNear);
      const factors = tensorOf(row.factors);
      const loss = (...inputs: unknown[]) => ops.sum(ops.mul(layer.apply(given(inputs)) as Tensor, factors));
      const found = await grad(loss as never, [...xs.keys()])(...(xs as never[]));
      for (const [i, gradient] of (found as Tensor[]).entries())
        expectClose(await gradient.data(), row.gradientsOfInputs[i]!, `gradient of input ${i}`, {
          relative: 1e-4,
          absolute: 5e-5,
        });
      await expectGradients(net, mask ? [...xs, mask] : xs, factors, row, row.paths);
    },
  );

  it.each(golden.dotProduct.map((row) => ({ ...row, title: JSON.stringify(row.options) })))(
    'scaled_dot_product_attention $title',
    async (row) => {
      const { mask: kind, ...options } = row.options;
      const floats = row.mask && tensorOf(row.mask);
      const mask = floats && (kind === 'bool' ? ops.cast(floats, 'int32') : floats);
      const xs = row.inputs.map(tensorOf) as [Tensor, Tensor, Tensor];
      const attend = (...[q, k, v]: Tensor[]) => ops.attention(q!, k!, v!, { ...options, mask });
      expectClose(await attend(...xs).data(), row.y, 'output', kNear);
      const factors = tensorOf(row.factors);
      const found = await grad((...own: Tensor[]) => ops.sum(ops.mul(attend(...own), factors)), [0, 1, 2])(...xs);
      for (const [i, gradient] of found.entries())
        expectClose(await gradient.data(), row.gradients[i]!, `gradient ${i}`, kNear);
    },
  );

  it('nn.MultiheadAttention', async () => {
    const { numHeads, keyDim, x, y, weights } = golden.multiHead;
    const layer = layers.multiHeadAttention({ numHeads, keyDim, useCausalMask: true });
    layer.apply(tensorOf(x));
    for (const [i, weight] of layer.weights.entries()) weight.variable.assign(tensorOf(weights[i]!));
    expectClose(await (layer.apply(tensorOf(x)) as Tensor).data(), y, 'output', kNear);
  });
});
