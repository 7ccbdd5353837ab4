// What the table of ops does not show of attention: dropout, queries without keys, values that are not finite, errors.
import { compile, grad, ops, setDevice, type Tensor, tensor } from 'downhill';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { attend } from '../../lib/graph/ops/attention.js';
import { dropout } from '../../lib/graph/ops/noise.js';
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
      if (mask.dtype === 'int32') continue;
      const bias = (added: Tensor) => ops.sum(ops.attention(q, k, v, { mask: added }));
      const seen = await ((await grad(bias as never)(mask as never)) as Tensor).data();
      expect([...seen].map(Math.abs).map((x, i) => (i === 3 || i === 5 ? x > 0 : x))).toEqual([0, 0, 0, true, 0, true]);
    }
  });

  it.each([-1e7, 1e7])('loses no digits where all scores of a query are about %d', async (far) => {
    const whole = (shape: number[], seed: number) =>
      tensor(
        randomArray(
          shape.reduce((a, b) => a * b, 1),
          seed,
        ).map((x) => Math.round(2 * x)),
        shape,
      );
    // Whole numbers below 2²⁴, so that the scores are what they would be, but for what is added.
    const [q, k, v] = [whole([1, 3, 2, 2], 1), whole([1, 70, 2, 2], 2), random([1, 70, 2, 3], 3)];
    const factors = random([1, 3, 2, 3], 4);
    const loss = (...[a, b, c, mask]: Tensor[]) =>
      ops.sum(ops.mul(ops.attention(a!, b!, c!, { mask, scale: 1 }), factors));
    const slope = (...given: Tensor[]) => {
      const first = grad(loss as never, [0, 3])(...(given as never[])) as unknown as Tensor[];
      return ops.add(ops.sum(ops.square(first[0]!)), ops.sum(ops.square(first[1]!)));
    };
    const all = compile((...given) => [
      ...(grad(loss as never, [0, 1, 2, 3])(...(given as never[])) as never),
      ...(grad(slope as never, [0, 1, 2])(...(given as never[])) as never),
    ]);
    const of = async (added: number) => {
      const found = (await all(q, k, v, tensor(new Array(70).fill(added), [1, 1, 1, 70]))) as unknown as Tensor[];
      return Promise.all(found.map(async (x) => [...(await x.data())]));
    };
    const near = await of(0);
    expect(near.every((values) => values.some((x) => Math.abs(x) > 1e-3))).toBe(true);
    expect(await of(far)).toEqual(near);
  });

  it('hides nothing but what is at −∞, forward and in all gradients', async () => {
    const [q, k, v] = [random([1, 2, 1, 3], 1), random([1, 3, 1, 3], 2), random([1, 3, 1, 2], 3)];
    const loss = (mask: Tensor, keys: Tensor) =>
      ops.sum(ops.square(ops.attention(q, keys, v, { mask, scale: 1 }) as Tensor));
    const of = async (added: number, keys: Tensor) => {
      const mask = tensor(new Array(6).fill(added), [1, 1, 2, 3]);
      const slope = (await grad(loss as never)(mask as never, keys as never)) as unknown as Tensor;
      const y = ops.attention(q, keys, v, { mask, scale: 1 }) as Tensor;
      return [[...(await y.data())], [...(await slope.data())]];
    };
    // Beside −3e38 no product counts: as if all of them were 0.
    expect(await of(-3e38, k)).toEqual(await of(0, ops.mul(k, 0) as Tensor));
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
