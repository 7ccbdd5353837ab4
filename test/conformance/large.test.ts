// Sizes that are cut into many pieces: near the reference on every device and instruction set, and on the CPU the same bits at 1, 2 and 3
// threads.
import { ops, setThreads, type Tensor, tensor } from 'downhill';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { goHome, goTo, places } from '../support-devices.js';
import { expectNear } from './compare.js';
import * as formulas from './formulas.js';
import { alongAxis, map, matmul, type Nd, nd, reduce, transpose } from './nd.js';
import { fill, float32 } from './problems.js';

const [a, b] = fill(
  [
    [37, 41, 61],
    [41, 61],
  ],
  'positive',
  5,
) as [Nd, Nd];
const [m, n] = fill(
  [
    [211, 173],
    [173, 130],
  ],
  'smooth',
  6,
) as [Nd, Nd];
const sumOf = (values: number[]) => values.reduce((x, y) => x + y, 0);
const ta = float32(a);
const tb = float32(b);

const large: { name: string; call: () => Tensor; expected: Nd; absolute?: number }[] = [
  { name: 'exp', call: () => ops.exp(ta), expected: map(Math.exp, a) },
  { name: 'gelu', call: () => ops.gelu(ta), expected: map(formulas.gelu(false), a) },
  { name: 'add, broadcast', call: () => ops.add(ta, tb), expected: map((x, y) => x + y, a, b) },
  { name: 'sum of all', call: () => ops.sum(ta), expected: reduce(a, undefined, false, sumOf), absolute: 0.1 },
  { name: 'sum over rows', call: () => ops.sum(ta, 0), expected: reduce(a, [0], false, sumOf) },
  { name: 'sum over columns', call: () => ops.sum(ta, -1), expected: reduce(a, [2], false, sumOf) },
  { name: 'sum over the middle', call: () => ops.sum(ta, 1), expected: reduce(a, [1], false, sumOf) },
  {
    name: 'max of all',
    call: () => ops.max(ta),
    expected: reduce(a, undefined, false, (v) => v.reduce((x, y) => Math.max(x, y))),
  },
  { name: 'softmax', call: () => ops.softmax(ta), expected: alongAxis(a, -1, formulas.softmax) },
  { name: 'softmax, axis 0', call: () => ops.softmax(ta, 0), expected: alongAxis(a, 0, formulas.softmax) },
  { name: 'transpose', call: () => ops.transpose(ta), expected: transpose(a) },
  { name: 'matmul', call: () => ops.matmul(float32(m), float32(n)), expected: matmul(m, n), absolute: 3e-4 },
  {
    name: 'matmul, both transposed',
    call: () => ops.matmul(float32(n), float32(m), { transposeA: true, transposeB: true }),
    expected: transpose(matmul(m, n)),
    absolute: 3e-4,
  },
];

describe.each(places)('large operands on $title', (place) => {
  beforeAll(() => goTo(place));
  afterAll(goHome);

  it.each(large)('$name', async ({ call, expected, absolute = 1e-5 }) => {
    let first: ArrayLike<number> | undefined;
    for (const count of place.threads) {
      setThreads(count);
      const result = call();
      const data = await result.data();
      expectNear(`${count} threads`, nd(result.shape, data), expected, { relative: 4e-6, absolute });
      first ??= data;
      expect(Buffer.compare(Buffer.from(data.buffer), Buffer.from((first as Float32Array).buffer))).toBe(0);
    }
  });
});

it('computes outside the event loop what takes long', async () => {
  const big = tensor(new Float32Array(512 * 512).fill(1), [512, 512]);
  const product = ops.matmul(big, big);
  expect(product.shape).toEqual([512, 512]);
  const chained = ops.add(product, 1);
  expect((await chained.data())[5]).toBe(513);
  expect(product.dataSync()[5]).toBe(512);
});
