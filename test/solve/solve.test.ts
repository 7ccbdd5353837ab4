// Exact answers beside those of descent, and what they refuse.
import { layers, ops, optimizers, regularizers, seed, sequential, solve, tensor, variable } from 'downhill';
import fc from 'fast-check';
import { describe, expect, it, test } from 'vitest';
import { eigen } from '../../lib/solve/eigen.js';
import { close, fails, randomArray } from '../support.js';

const rows = (values: Float32Array, width: number) =>
  Array.from({ length: values.length / width }, (_, i) => Array.from(values.subarray(i * width, (i + 1) * width)));

describe('linear regression', () => {
  const x = rows(randomArray(60 * 3, 1), 3);
  const y = x.map(([a, b, c], i) => [2 * a! - b! + 0.5 + Math.sin(i), 3 * c! - 1]);

  it.each([0, 0.3])('is where gradient descent goes, l2 = %f', async (l2) => {
    const net = sequential([layers.dense({ units: 2, inputShape: [3], kernelRegularizer: regularizers.l2({ l2 }) })]);
    net.compile({ optimizer: optimizers.sgd({ learningRate: 0.5, momentum: 0.5 }), loss: 'meanSquaredError' });
    await net.fit(x, y, { batchSize: 60, epochs: 400, verbose: 0 });
    const { kernel, bias, loss } = await solve.linearRegression(x, y, { l2 });
    const [w, b] = net.getWeights();
    close(w, kernel, 1e-5);
    close(b, bias, 1e-5);
    net.setWeights([kernel, bias]);
    close((await net.evaluate(x, y, { batchSize: 60, verbose: 0 })).loss, loss, 1e-6);
  });

  it('takes typed vectors and tensors', async () => {
    const found = await solve.linearRegression(tensor(randomArray(40, 2), [20, 2]), new Float64Array(20).fill(3));
    close(found.kernel, [0, 0]);
    close(found.bias, [3]);
    expect(found.kernel.shape).toEqual([2, 1]);
  });

  it('refuses what has no answer', async () => {
    const twice = x.map(([a, b]) => [a!, b!, 2 * a! - b!]);
    await fails('SINGULAR', /feature 2 is .*combination.*l2 above 0/, () => solve.linearRegression(twice, y));
    await fails('SINGULAR', /feature 1 is constant/, () =>
      solve.linearRegression(
        x.map(([a]) => [a!, 4]),
        y,
      ),
    );
    await fails('SINGULAR', /feature/, () => solve.linearRegression(x.slice(0, 2), y.slice(0, 2)));
    expect((await solve.linearRegression(twice, y, { l2: 1e-3 })).kernel.shape).toEqual([3, 2]);
    await fails('SHAPE_MISMATCH', /60 and 59/, () => solve.linearRegression(x, y.slice(1)));
    await fails('SHAPE_MISMATCH', /matrix.*\[4\]/, () => solve.linearRegression(new Float32Array(4), [1, 2, 3, 4]));
    await fails('NON_FINITE', /x must be finite; element 1/, () => solve.linearRegression([[1, Number.NaN]], [1]));
    await fails('EMPTY_DATA', /x has no values/, () => solve.linearRegression([], []));
    await fails('OUT_OF_RANGE', /l2/, () => solve.linearRegression(x, y, { l2: -1 }));
    await fails('UNKNOWN_OPTION', /"l2"/, () => solve.linearRegression(x, y, { l3: 1 } as never));
  });
});

describe('eigen', () => {
  const check = async (n: number, values: Float64Array) => {
    const before = values.slice();
    const { values: found, vectors } = await eigen({ rows: n, columns: n, values });
    const size = Math.max(1e-300, ...before.map(Math.abs)) * n;
    for (let k = 0; k < n; k++) {
      const v = vectors.values.subarray(k * n, (k + 1) * n);
      if (k > 0) expect(found[k]!).toBeLessThanOrEqual(found[k - 1]!);
      for (let i = 0; i < n; i++) {
        let product = 0;
        for (let j = 0; j < n; j++) product += before[i * n + j]! * v[j]!;
        expect(Math.abs(product - found[k]! * v[i]!)).toBeLessThanOrEqual(1e-14 * size);
      }
      for (let l = 0; l <= k; l++) {
        const other = vectors.values.subarray(l * n, (l + 1) * n);
        const dot = v.reduce((sum, value, i) => sum + value * other[i]!, 0);
        expect(Math.abs(dot - (k === l ? 1 : 0))).toBeLessThanOrEqual(1e-13);
      }
    }
  };

  it('a·v = λ·v, also where eigenvalues are equal or zero', async () => {
    const entry = fc.constantFrom(0, 0, 1, -1, 2, 1e-8, 1e8, 0.3, -7.7);
    const symmetric = fc.integer({ min: 1, max: 9 }).chain((n) =>
      fc.array(entry, { minLength: n * n, maxLength: n * n }).map((list) => ({
        n,
        values: Float64Array.from({ length: n * n }, (_, i) => {
          const [row, column] = [Math.floor(i / n), i % n];
          return list[Math.min(row, column) * n + Math.max(row, column)]!;
        }),
      })),
    );
    await fc.assert(
      fc.asyncProperty(symmetric, ({ n, values }) => check(n, values)),
      { numRuns: 300 },
    );
  });

  it('of a larger one', async () => {
    const n = 60;
    const list = randomArray(n * n, 8);
    await check(
      n,
      Float64Array.from(
        { length: n * n },
        (_, i) => list[Math.min(Math.floor(i / n), i % n) * n + Math.max(Math.floor(i / n), i % n)]!,
      ),
    ); // prettier-ignore
  });
});

describe('pca', () => {
  const x = rows(randomArray(50 * 4, 3), 4).map(([a, b, c, d]) => [3 * a! + b!, a! - b!, 0.5 * c! + a!, 0.2 * d! + 1]);

  it('leaves the least error: descent on D gets there and no further', async () => {
    seed(3);
    const exact = await solve.pca(x, 2);
    const data = ops.sub(tensor(x), exact.mean);
    const error = (d: never) => {
      const rest = ops.sub(data, ops.matmul(ops.matmul(data, d), d, { transposeB: true }));
      return ops.sum(ops.square(rest)) as never;
    };
    const d = variable(randomArray(8, 5, -0.5, 0.5), { shape: [4, 2] });
    const optimizer = optimizers.adam({ learningRate: 0.02 });
    for (let step = 0; step < 1500; step++) await optimizer.minimize(() => error(d as never), [d]);
    const least = (error(exact.components as never) as unknown as ReturnType<typeof tensor>).dataSync()[0]!;
    const found = (error(d as never) as unknown as ReturnType<typeof tensor>).dataSync()[0]!;
    expect(found).toBeGreaterThan(least * (1 - 1e-5));
    expect(found).toBeLessThan(least * 1.001);
    // The same plane: D·Dᵀ is the same projection.
    close(
      ops.matmul(d, d, { transposeB: true }),
      ops.matmul(exact.components, exact.components, { transposeB: true }),
      0.02,
    );
  });

  it('of all components gives x back, and the variances are those of the codes', async () => {
    const all = await solve.pca(x);
    expect(all.components.shape).toEqual([4, 4]);
    expect(all.explained).toBe(1);
    const codes = all.encode(x);
    close(all.decode(codes), x, 1e-5);
    const squares = ops.mean(ops.square(codes), 0);
    close(squares, all.variances, 1e-5);
  });

  it('refuses', async () => {
    await fails('OUT_OF_RANGE', /components.*at most 4.*5/, () => solve.pca(x, 5));
    await fails('SHAPE_MISMATCH', /matrix/, () => solve.pca([1, 2]));
    await fails('UNKNOWN_OPTION', /"center"/, () => solve.pca(x, 1, { centre: true } as never));
    await fails('SHAPE_MISMATCH', /x must have shape \[n, 4\]/, async () => (await solve.pca(x, 1)).encode([[1, 2]]));
    await fails('SHAPE_MISMATCH', /codes must have shape \[n, 1\]/, async () =>
      (await solve.pca(x, 1)).decode([[1, 2]]),
    );
  });
});

test('the event loop runs in between', async () => {
  let turns = 0;
  const timer = setInterval(() => turns++, 1);
  await solve.pca(rows(randomArray(2000 * 200, 9), 200), 3);
  clearInterval(timer);
  expect(turns).toBeGreaterThan(1);
});
