// NaN, infinities, zeros, huge and tiny values through the elementwise ops and reductions.
import { ops, type Tensor, tensor } from 'downhill';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { goHome, goTo, places } from '../support-devices.js';
import { expectNear } from './compare.js';
import * as formulas from './formulas.js';
import { nd } from './nd.js';
import { byName } from './problems.js';

const kSpecial = [
  NaN,
  Infinity,
  -Infinity,
  0,
  -0,
  1,
  -1,
  1e-30,
  -1e-30,
  1e30,
  -1e30,
  80,
  -80,
  100,
  -100,
  1e-6,
  20,
  -20,
];
const special = Array.from(Float32Array.from(kSpecial));
/** Where float32 itself cannot hold the double's result. */
const fround = (values: readonly number[]) => nd([values.length], values.map(Math.fround));

/** Limits that the plain formula misses in doubles: ∞ · 0, ∞ / ∞. */
const limits: Record<string, Record<string, number>> = {
  silu: { '-Infinity': 0 },
  softsign: { Infinity: 1, '-Infinity': -1 },
  gelu: { '-Infinity': 0 },
};

describe.each(places)('special values on $title', (place) => {
  beforeAll(() => goTo(place));
  afterAll(goHome);

  const elementwise = {
    ...formulas.unary,
    gelu: formulas.gelu(false),
    leakyRelu: formulas.leakyRelu(0.2),
    elu: formulas.elu(1),
  };

  it.each(Object.keys(elementwise))('%s', async (op) => {
    const y = byName[op]!(tensor(special)) as Tensor;
    const expected = special.map((x) => limits[op]?.[String(x)] ?? elementwise[op as keyof typeof elementwise](x));
    // Below the normal range a result may be flushed to zero.
    expectNear(op, { shape: y.shape, data: await y.data() }, fround(expected), { relative: 4e-6, absolute: 2e-38 });
  });

  it.each(Object.keys(formulas.binary))('%s', async (op) => {
    const values = op === 'pow' ? [0, 1, 2, 0.5, 10, Infinity, NaN] : special;
    const a = values.flatMap((x) => values.map(() => x));
    const b = values.flatMap(() => values);
    const y = byName[op]!(tensor(a), tensor(b)) as Tensor;
    const expected = a.map((x, i) => formulas.binary[op]!(x, b[i]!));
    // C's pow gives 1 for 1 to the power of anything, and so do NumPy and Keras; JavaScript's does not.
    if (op === 'pow')
      a.forEach((x, i) => {
        if (x === 1) expected[i] = 1;
      });
    expectNear(op, { shape: y.shape, data: await y.data() }, fround(expected), { relative: 4e-6, absolute: 2e-38 });
  });

  it('NaN reaches the result of max, min, clip and argmax', async () => {
    for (const length of [3, 16, 17, 40])
      for (const position of [0, 1, length - 1]) {
        const values = Array.from({ length }, (_, i) => (i === position ? NaN : i - 5));
        expect(await ops.max(values).array()).toBeNaN();
        expect(await ops.min(values).array()).toBeNaN();
        expect(await ops.argmax(values).array()).toBe(position);
        expect(((await ops.clip(values, -1, 1).array()) as number[])[position]).toBeNaN();
        expect(((await ops.max([values, values], 0).array()) as number[])[position]).toBeNaN();
      }
  });

  it('softmax and its relatives survive huge and infinite logits', async () => {
    expect(await ops.softmax([1e4, 0, -1e4]).array()).toEqual([1, 0, 0]);
    expect(await ops.logSoftmax([1e4, 0]).array()).toEqual([0, -1e4]);
    expect(await ops.logSumExp([1e4, 1e4]).array()).toBeCloseTo(1e4 + Math.log(2), 2);
    expect(await ops.softmax([-Infinity, 0]).array()).toEqual([0, 1]);
    expect(await ops.softmaxCrossEntropy([[1e4, 0]], [[0, 1]]).array()).toEqual([1e4]);
  });
});
