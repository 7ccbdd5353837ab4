// Weights by name, from files of this library and of others.
import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { layers, loadModel, type Model, sequential } from 'downhill';
import { expect, test } from 'vitest';
import { fails, random } from '../support.js';
import { fileOf, temporaryFolder, tensorOf } from './files.js';
import { net, stateOf } from './models.js';

const folder = temporaryFolder();
let files = 0;
const fresh = () => join(folder, `${files++}.safetensors`);

/** 3 → 2 → 2 */
const made = (): Model =>
  sequential([layers.dense({ units: 2, inputShape: [3] }), layers.dense({ units: 2, useBias: false })]);
const read = (model: Model) => model.getWeights().map((weight) => [...weight.dataSync()]);

interface Given {
  name: string;
  shape: number[];
  values: number[];
  dtype?: 'F32' | 'F16' | 'BF16' | 'F64' | 'I64';
}

/** The file that another library would write. */
function foreign(tensors: Given[]): string {
  const header: Record<string, unknown> = { __metadata__: { format: 'pt' } };
  const parts: Buffer[] = [];
  let at = 0;
  for (const { name, shape, values, dtype = 'F32' } of tensors) {
    const width = { F32: 4, F16: 2, BF16: 2, F64: 8, I64: 8 }[dtype];
    const bytes = Buffer.alloc(width * values.length);
    values.forEach((value, i) => {
      const offset = width * i;
      const bits = new Uint32Array(Float32Array.of(value).buffer)[0]!;
      if (dtype === 'F32') bytes.writeFloatLE(value, offset);
      else if (dtype === 'F64') bytes.writeDoubleLE(value, offset);
      else if (dtype === 'BF16') bytes.writeUInt16LE(bits >>> 16, offset);
      else if (dtype === 'F16')
        bytes.writeUInt16LE(value, offset); // bits are given
      else bytes.writeBigInt64LE(BigInt(value), offset);
    });
    header[name] = tensorOf(dtype, shape, at, at + bytes.length);
    at += bytes.length;
    parts.push(bytes);
  }
  const path = fresh();
  writeFileSync(path, fileOf(header, Buffer.concat(parts)));
  return path;
}

const torch = () =>
  foreign([
    { name: '0.bias', shape: [2], values: [7, 8] },
    { name: '0.weight', shape: [2, 3], values: [1, 2, 3, 4, 5, 6] },
    { name: '2.weight', shape: [2, 2], values: [1, 2, 3, 4] },
  ]);
const names: Record<string, string> = { '0': 'dense', '2': 'dense_1', weight: 'kernel', bias: 'bias' };
const map = (name: string) => {
  const [layer, part] = name.split('.');
  return { name: `${names[layer!]}/${names[part!]}`, transpose: part === 'weight' };
};

test('PyTorch’s names and layouts', async () => {
  const model = made();
  const seen: unknown[] = [];
  const report = await model.loadWeights(torch(), {
    map: (name, shape) => {
      seen.push([name, shape]);
      return map(name);
    },
  });
  expect(report).toEqual({ missing: [], unexpected: [], mismatched: [] });
  expect(read(model)).toEqual([
    [1, 4, 2, 5, 3, 6],
    [7, 8],
    [1, 3, 2, 4],
  ]);
  expect(seen).toEqual([
    ['0.bias', [2]],
    ['0.weight', [2, 3]],
    ['2.weight', [2, 2]],
  ]); // prettier-ignore
});

test('an order of axes', async () => {
  const model = sequential([layers.dense({ units: 3, inputShape: [2], useBias: false })]);
  const path = foreign([{ name: 'k', shape: [3, 2], values: [1, 2, 3, 4, 5, 6] }]);
  const turned = { name: 'dense/kernel', transpose: [1, 0] };
  await model.loadWeights(path, { map: () => turned });
  expect(read(model)).toEqual([[1, 3, 5, 2, 4, 6]]);
  for (const transpose of [[0], [0, 0], [0, 2], 7 as never])
    await fails('INVALID_ARGUMENT', /map\("k"\): transpose must be true or the order of the 2 axes/, () =>
      model.loadWeights(path, { map: () => ({ ...turned, transpose }) }),
    );
  await fails('INVALID_ARGUMENT', /map\("k"\) must give a name/, () =>
    model.loadWeights(path, { map: () => 7 as never }),
  );
});

test('floats of other widths', async () => {
  const model = made();
  const path = foreign([
    { name: 'dense/kernel', shape: [3, 2], dtype: 'F16', values: [0x3c00, 0xc000, 0x0001, 0x8400, 0x7bff, 0x3555] },
    { name: 'dense/bias', shape: [2], dtype: 'F64', values: [0.1, 1e-300] },
    { name: 'dense_1/kernel', shape: [2, 2], dtype: 'BF16', values: [1, -2.5, 3, 2 ** 100] },
  ]);
  await model.loadWeights(path);
  expect(read(model)).toEqual([
    [1, -2, 2 ** -24, -(2 ** -14), 65504, 0.333251953125],
    [Math.fround(0.1), 0],
    [1, -2.5, 3, 2 ** 100],
  ]);
});

test('what does not match is listed; nothing changes unless it is allowed', async () => {
  const model = made();
  const before = read(model);
  const path = foreign([
    { name: 'dense/bias', shape: [2], values: [1, 2] },
    { name: 'dense/kernel', shape: [2, 3], values: [1, 2, 3, 4, 5, 6] },
    { name: 'head/kernel', shape: [1], values: [1] },
    { name: 'steps', shape: [], dtype: 'I64', values: [5] },
  ]);
  await fails(
    'SHAPE_MISMATCH',
    /missing in the file: dense_1\/kernel; not in the model: head\/kernel, steps; not fitting: dense\/kernel of shape \[3, 2\] from dense\/kernel, F32 of shape \[2, 3\]\. Give \{ map \}/,
    () => model.loadWeights(path),
  );
  expect(read(model)).toEqual(before);
  const report = await model.loadWeights(path, { strict: false, map: (name) => (name === 'steps' ? null : name) });
  expect(report).toEqual({
    missing: ['dense_1/kernel'],
    unexpected: ['head/kernel'],
    mismatched: [{ name: 'dense/kernel', tensor: 'dense/kernel', expected: [3, 2], received: [2, 3], dtype: 'F32' }],
  });
  expect(read(model)).toEqual([before[0], [1, 2], before[2]]);
  await fails('INVALID_ARGUMENT', /both "0\.bias" and "0\.weight" are mapped to "dense\/bias"/, () =>
    model.loadWeights(torch(), { map: () => 'dense/bias', strict: false }),
  );
  await fails('UNKNOWN_NAME', /missing in the file: dense\/kernel/, () =>
    model.loadWeights(torch(), { map: () => null }),
  );
  const integer = foreign([{ name: 'dense/bias', shape: [2], dtype: 'I64', values: [1, 2] }]);
  const { mismatched } = await model.loadWeights(integer, { strict: false });
  expect(mismatched).toMatchObject([{ name: 'dense/bias', dtype: 'I64' }]);
});

test('our own files: of weights, and of models', async () => {
  const first = net('adam');
  const { x, oneHot } = (() => {
    const next = random(1);
    return { x: Float32Array.from({ length: 40 }, next), oneHot: Float32Array.from({ length: 40 }, (_, i) => i % 2) };
  })();
  await first.fit(x, oneHot, { epochs: 2 });
  const [weights, model] = [fresh(), fresh()];
  await first.saveWeights(weights);
  await first.save(model);
  await fails('FOREIGN_FILE', /weights alone.*net\.loadWeights/, () => loadModel(weights));
  await fails('FOREIGN_FILE', /weights alone/, () => first.fit(x, oneHot, { resume: weights }));
  for (const path of [weights, model]) {
    const second = net('sgd', 8);
    const slots = stateOf(second);
    await second.loadWeights(path);
    expect(read(second)).toEqual(read(first));
    expect(stateOf(second).iterations).toBe(slots.iterations);
  }
  const other = made();
  await fails('SHAPE_MISMATCH', /dense\/kernel of shape \[3, 2\]/, () => other.loadWeights(weights));
  await fails('NOT_BUILT', /no input shape/, () => sequential([layers.dense({ units: 1 })]).loadWeights(weights));
});
