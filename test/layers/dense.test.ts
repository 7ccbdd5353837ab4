import {
  compile,
  grad,
  initializers,
  layers,
  ops,
  sequential,
  type SymbolicTensor,
  type Tensor,
  tensor,
} from 'downhill';
import { expect, test } from 'vitest';
import { close, randomArray, throwsAtOnce } from '../support.js';

const kernel = [
  [1, -2],
  [0.5, 3],
  [2, 0.25],
];
const bias = [0.5, -1];

function fixed(options: Partial<layers.DenseOptions> = {}) {
  const net = sequential([layers.dense({ units: 2, inputShape: [3], ...options })]);
  net.setWeights(options.useBias === false ? [kernel] : [kernel, bias]);
  return net;
}

const rows = [
  [1, 2, 3],
  [-1, 0, 0.5],
];
const affine = (row: number[]) => bias.map((b, j) => row.reduce((sum, x, i) => sum + x * kernel[i][j], b));

test('x·W + b', () => {
  close(fixed().apply(rows), rows.map(affine));
});

test('activation, by either spelling and as a function', () => {
  const expected = rows.map((row) => affine(row).map((z) => z / (1 + Math.exp(-z))));
  close(fixed({ activation: 'silu' }).apply(rows), expected);
  close(fixed({ activation: (x) => ops.silu(x) }).apply(rows), expected);
  const logits = rows.map((row) =>
    affine(row).map((z) => z - Math.log(affine(row).reduce((sum, other) => sum + Math.exp(other), 0))),
  );
  close(fixed({ activation: 'log_softmax' }).apply(rows), logits);
  close(fixed({ activation: 'logSoftmax' }).apply(rows), logits);
});

test('without bias', () => {
  const net = fixed({ useBias: false });
  expect(net.getWeights().map(({ shape }) => shape)).toEqual([[3, 2]]);
  close(
    net.apply(rows),
    rows.map((row) => affine(row).map((z, j) => z - bias[j])),
  );
});

test('inputs of rank 3 keep their middle axis', () => {
  const net = sequential([layers.dense({ units: 2, inputShape: [4, 3] })]);
  net.setWeights([kernel, bias]);
  expect(net.outputShape).toEqual([4, 2]);
  const x = randomArray(24, 1);
  const out = net.apply(tensor(x, [2, 4, 3]));
  expect(out.shape).toEqual([2, 4, 2]);
  close(
    out,
    Array.from({ length: 8 }, (_, i) => affine([...x.subarray(3 * i, 3 * i + 3)])),
  );
});

test('initializers', async () => {
  const net = sequential([
    layers.dense({
      units: 2,
      inputShape: [3],
      kernelInitializer: 'ones',
      biasInitializer: initializers.constant({ value: 0.25 }),
    }),
  ]);
  close(await net.apply([[1, 2, 3]]).array(), [[6.25, 6.25]]);
  const drawn = sequential([layers.dense({ units: 200, inputShape: [100] })]).getWeights();
  const limit = Math.sqrt(6 / 300);
  const values = [...drawn[0].dataSync()];
  expect(Math.max(...values)).toBeLessThan(limit);
  expect(Math.max(...values)).toBeGreaterThan(0.98 * limit);
  expect(Math.min(...values)).toBeLessThan(-0.98 * limit);
  expect(drawn[1].dataSync()).toEqual(new Float32Array(200));
});

test('inside a traced function, with gradients', async () => {
  const net = fixed();
  const loss = (x: SymbolicTensor | Tensor) => ops.sum(net.apply(x as SymbolicTensor));
  close(
    await grad(loss)(rows),
    rows.map(() => kernel.map(([a, b]) => a + b)),
  );
  const doubled = compile((x: SymbolicTensor | Tensor) => ops.mul(net.apply(x as SymbolicTensor), 2));
  close(
    await doubled(rows),
    rows.map((row) => affine(row).map((z) => 2 * z)),
  );
});

test('options are checked', () => {
  throwsAtOnce('INVALID_ARGUMENT', /needs the option "units"/, () => layers.dense({} as never));
  throwsAtOnce('OUT_OF_RANGE', /units must be an integer at least 1; received 0/, () => layers.dense({ units: 0 }));
  throwsAtOnce('OUT_OF_RANGE', /units.*received 2\.5/, () => layers.dense({ units: 2.5 }));
  throwsAtOnce('UNKNOWN_OPTION', /"unit".*Did you mean "units"/, () => layers.dense({ unit: 3 } as never));
  throwsAtOnce('UNKNOWN_OPTION', /kernelInitializer/, () =>
    layers.dense({ units: 3, kernel_initializer: 'zeros' } as never),
  );
  throwsAtOnce('UNKNOWN_NAME', /"sigmod".*Did you mean "sigmoid"/, () =>
    layers.dense({ units: 3, activation: 'sigmod' }),
  );
  throwsAtOnce('UNKNOWN_NAME', /glorotUniform/, () => layers.dense({ units: 3, kernelInitializer: 'glorotUnifrom' }));
  throwsAtOnce('UNKNOWN_NAME', /regularizer "l3"/, () => layers.dense({ units: 3, kernelRegularizer: 'l3' }));
  throwsAtOnce('INVALID_ARGUMENT', /useBias must be true or false/, () =>
    layers.dense({ units: 3, useBias: 1 as never }),
  );
});

test('a batch of the wrong width names the layer', () => {
  throwsAtOnce('SHAPE_MISMATCH', /"dense".*3 features.*\[n, 4\]/, () => fixed().apply([[1, 2, 3, 4]]));
  throwsAtOnce('SHAPE_MISMATCH', /rank 2 or more.*\[n\]/, () =>
    sequential([layers.dense({ units: 2 })]).apply([1, 2, 3]),
  );
});
