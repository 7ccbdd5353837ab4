// What the table of ops does not show of attention: dropout, queries without keys, values that are not finite, errors.
import { compile, grad, ops, setDevice, type Tensor, tensor } from 'downhill';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { attend } from '../../lib/graph/ops/attention.js';
import { dropout } from '../../lib/graph/ops/dropout.js';
import { failure } from '../errors.js';
import { goHome, testDevices } from '../support-devices.js';
import { randomArray } from '../support.js';

const random = (shape: number[], seed: number) =>
  tensor(
    randomArray(
      shape.reduce<number>((a, b) => a * b, 1),
      seed,
    ),
    shape,
  );

describe.each(testDevices)('attention on %s', (device) => {
  beforeAll(() => setDevice(device));
  afterAll(goHome);

  it('drops the probabilities that dropout of the matrix of scores would drop, forward and backward', async () => {
    const [n, heads, steps, keys, dim] = [2, 3, 5, 70, 4];
    const xs = [random([n, steps, heads, dim], 1), random([n, keys, heads, dim], 2), random([n, keys, heads, dim], 3)];
    const factors = random([n, steps, heads, dim], 4);
    const drawn = { rate: 0.4, key: 12345 };
    type Three = [Tensor, Tensor, Tensor];
    const one = ([q, k, v]: Three) => attend([q, k, v], { causal: false }, drawn);
    const plain = (given: Three) => {
      const [q, k, v] = given.map((x) => ops.transpose(x, [0, 2, 1, 3])) as Three;
      const scores = ops.mul(ops.matmul(q, k, { transposeB: true }), 1 / Math.sqrt(dim));
      return ops.transpose(ops.matmul(dropout(ops.softmax(scores), drawn), v), [0, 2, 1, 3]);
    };
    const all = (of: typeof one) =>
      compile((...given) => {
        const loss = (...own: unknown[]) => ops.sum(ops.mul(of(own as Three) as Tensor, factors));
        return [of(given as unknown as Three), ...(grad(loss as never, [0, 1, 2])(...(given as never[])) as never)];
      });
    const found = (await all(one)(...xs)) as unknown as Tensor[];
    const wanted = (await all(plain as typeof one)(...xs)) as unknown as Tensor[];
    for (const [i, value] of found.entries()) {
      const expected = await wanted[i]!.data();
      (await value.data()).forEach((element, j) => {
        expect(element).toBeCloseTo(expected[j]!, 5);
      });
    }
  });

  it('a query without keys gives zeros, and no gradient', async () => {
    const [q, k, v] = [random([1, 2, 1, 3], 1), random([1, 3, 1, 3], 2), random([1, 3, 1, 2], 3)];
    for (const mask of [
      tensor([0, 0, 0, 1, 0, 1], [1, 1, 2, 3], 'int32'),
      tensor([-Infinity, -Infinity, -Infinity, 0, -Infinity, 0], [1, 1, 2, 3]),
    ]) {
      const loss = (a: Tensor) => ops.sum(ops.attention(a, k, v, { mask }));
      const y = await (ops.attention(q, k, v, { mask }) as Tensor).data();
      expect([...y.slice(0, 2)]).toEqual([0, 0]);
      expect(Math.abs(y[2]!)).toBeGreaterThan(0);
      const d = await ((await grad(loss as never)(q as never)) as Tensor).data();
      expect([...d.slice(0, 3)].map(Math.abs)).toEqual([0, 0, 0]);
      expect([...d].every(Number.isFinite)).toBe(true);
    }
  });

  it('large scores do not overflow; NaN stays in its row', async () => {
    const q = tensor([100, 1, NaN], [1, 3, 1, 1]);
    const k = tensor([50, 40, -50], [1, 3, 1, 1]);
    const v = tensor([1, 2, 3], [1, 3, 1, 1]);
    const y = await (ops.attention(q, k, v, { scale: 1 }) as Tensor).data();
    expect(y[0]).toBe(1);
    expect(y[1]).toBeCloseTo(1.0000454, 6);
    expect(y[2]).toBeNaN();
  });
});

it('says what it expected', () => {
  const q = random([2, 3, 1, 4], 1);
  const cases: [() => unknown, string, RegExp][] = [
    [() => ops.attention(q, random([2, 3, 2, 4], 1), q), 'SHAPE_MISMATCH', /keys \[n, keys, heads, dim\]/],
    [() => ops.attention(random([2, 3], 1), q, q), 'SHAPE_MISMATCH', /queries/],
    [() => ops.attention(q, q, q, { mask: tensor([[1, 1]], [1, 2], 'int32') }), 'SHAPE_MISMATCH', /\[2, 1, 3, 3\]/],
    [() => ops.attention(q, q, q, { causal: 1 as never }), 'INVALID_ARGUMENT', /causal/],
    [() => ops.attention(q, q, q, { masks: q } as never), 'UNKNOWN_OPTION', /mask/],
  ];
  for (const [body, code, message] of cases)
    expect(failure(body)).toMatchObject({ code, message: expect.stringMatching(message) });
});
