// data.split: sizes, groups kept whole, proportions of classes, every kind of data.
import { data, seed, Tensor, tensor } from 'downhill';
import { describe, expect, test } from 'vitest';
import { quotas } from '../../lib/data/holdout.js';
import { fails, random, throwsAtOnce } from '../support.js';

const numbers = (n: number) => Array.from({ length: n }, (_, i) => i);
/** Chi-squared of counts that should all be equal. */
const chiSquared = (counts: number[]) => {
  const mean = counts.reduce((sum, count) => sum + count, 0) / counts.length;
  return counts.reduce((sum, count) => sum + (count - mean) ** 2 / mean, 0);
};

describe('rows', () => {
  test('each row is in one part, with its target, in its order; the same seed gives the same parts', () => {
    const x = numbers(103).map((i) => [i, -i]);
    const y = Int32Array.from(numbers(103), (i) => i * 2);
    const { train, test: held } = data.split(x, y, { testSize: 0.3, seed: 5 });
    expect([train.rows.length, held.rows.length]).toEqual([72, 31]);
    expect([...train.rows, ...held.rows].sort((a, b) => a - b)).toEqual(numbers(103));
    for (const { x: px, y: py, rows } of [train, held]) {
      expect([...rows]).toEqual([...rows].sort((a, b) => a - b));
      expect(px).toEqual([...rows].map((row) => x[row]));
      expect(py).toEqual(Int32Array.from(rows, (row) => row * 2));
    }
    expect(data.split(x, y, { testSize: 0.3, seed: 5 })).toEqual({ train, test: held });
    expect(data.split(x, y, { testSize: 0.3, seed: 6 }).test.rows).not.toEqual(held.rows);
    seed(3);
    const [a, b] = [data.split(x, y), data.split(x, y)];
    seed(3);
    expect([data.split(x, y), data.split(x, y)]).toEqual([a, b]);
    expect(a.test.rows).not.toEqual(b.test.rows);
    expect(a.test.rows).toHaveLength(26);
  });

  test('every row is held out equally often', () => {
    const counts = numbers(40).map(() => 0);
    for (const s of numbers(4000))
      for (const row of data.split(numbers(40), undefined, { testSize: 10, seed: s }).test.rows) counts[row]++;
    expect(chiSquared(counts)).toBeLessThan(75); // 39 degrees of freedom, at most as many: rows exclude one another
  });

  test('typed arrays, Tensors and nested arrays stay what they are', () => {
    const n = 12;
    const flat = Float32Array.from(numbers(n * 3));
    const labels = Uint8Array.from(numbers(n), (i) => i % 2);
    const typed = data.split(flat, labels, { testSize: 0.25, seed: 1 });
    expect(typed.test.x).toEqual(Float32Array.from([...typed.test.rows].flatMap((r) => [3 * r, 3 * r + 1, 3 * r + 2])));
    expect(typed.test.y).toBeInstanceOf(Uint8Array);
    const tensors = data.split(tensor(flat, [n, 3]), tensor(labels, [n], 'int32'), { testSize: 0.25, seed: 1 });
    expect(tensors.test.x).toBeInstanceOf(Tensor);
    expect(tensors.test.x.shape).toEqual([3, 3]);
    expect(tensors.test.x.dataSync()).toEqual(typed.test.x);
    expect(tensors.test.y.dtype).toBe('int32');
    const whole = data.split(flat, flat, { rows: n, testSize: 0.25, seed: 1 });
    expect(whole.train.y).toEqual(typed.train.x);
    expect(data.split(flat.subarray(3), undefined, { rows: n - 1, testSize: 2, shuffle: false }).test.x).toEqual(
      flat.subarray(-6),
    );
  });

  test('texts are rows', () => {
    const texts = ['a', 'b', 'c', 'd'];
    const { train, test } = data.split(texts, Int32Array.of(0, 1, 0, 1), { testSize: 2, stratify: true, seed: 1 });
    expect(test.x).toEqual(Array.from(test.rows, (row) => texts[row]));
    expect([...train.x, ...test.x].sort()).toEqual(texts);
    expect([...test.y].sort()).toEqual([0, 1]);
  });

  test('without shuffle the last rows are held out', () => {
    const { train, test: held } = data.split(numbers(10), undefined, { testSize: 3, shuffle: false });
    expect([train.x, held.x]).toEqual([numbers(7), [7, 8, 9]]);
    expect(train.y).toBeUndefined();
  });
});

describe('stratify', () => {
  test('shares are rounded by the largest remainder', () => {
    expect(quotas([50, 30, 20], 10)).toEqual([5, 3, 2]);
    expect(quotas([47, 16, 16, 12, 9], 10)).toEqual([5, 2, 1, 1, 1]);
    expect(quotas([3, 3, 3], 4)).toEqual([2, 1, 1]);
    expect(quotas([97, 1, 1, 1], 50)).toEqual([49, 1, 0, 0]);
    const next = random(3);
    for (let trial = 0; trial < 500; trial++) {
      const sizes = numbers(1 + Math.floor(next() * 8)).map(() => 1 + Math.floor(next() * 60));
      const rows = sizes.reduce((a, b) => a + b);
      const count = Math.floor(next() * (rows + 1));
      const found = quotas(sizes, count);
      expect(found.reduce((a, b) => a + b)).toBe(count);
      found.forEach((quota, i) => {
        expect(Math.abs(quota - (sizes[i] * count) / rows)).toBeLessThan(1);
        expect(quota).toBeLessThanOrEqual(sizes[i]);
      });
    }
  });

  test('by y, one-hot y, or values of its own; each row of a class equally often', () => {
    const labels = numbers(60).map((i) => (i % 10 < 6 ? 0 : i % 10 < 9 ? 1 : 2)); // 36, 18, 6
    const seen = numbers(60).map(() => 0);
    for (const s of numbers(600)) {
      const { test: held } = data.split(numbers(60), labels, { testSize: 20, stratify: true, seed: s });
      expect([0, 1, 2].map((c) => held.y.filter((label) => label === c).length)).toEqual([12, 6, 2]);
      for (const row of held.rows) seen[row]++;
    }
    expect(chiSquared(seen)).toBeLessThan(100);
    const by = (y: data.SplitData | undefined, stratify: data.SplitOptions['stratify']) =>
      data.split(numbers(60), y, { testSize: 20, stratify, seed: 9 }).test.rows;
    const expected = by(labels, true);
    expect(by(data.toCategorical(labels, 3), true)).toEqual(expected);
    expect(
      by(
        labels.map((l) => [l]),
        true,
      ),
    ).toEqual(expected); // prettier-ignore
    expect(
      by(
        undefined,
        labels.map((l) => `class ${l}`),
      ),
    ).toEqual(expected); // prettier-ignore
    expect(by(labels, false)).not.toEqual(expected);
  });
});

describe('groups', () => {
  const next = random(11);
  const sizes = numbers(30).map(() => 1 + Math.floor(next() * 9));
  // Rows of a group stand apart, and their names are texts.
  const patients = sizes.flatMap((size, p) => numbers(size).map(() => `p${p}`)).sort(() => next() - 0.5);
  const n = patients.length;

  test('are whole, in both parts, and near the wanted number', () => {
    for (const s of numbers(200)) {
      const { train, test: held } = data.split(numbers(n), undefined, { testSize: 0.2, groups: patients, seed: s });
      const [a, b] = [train, held].map(({ rows }) => new Set([...rows].map((row) => patients[row])));
      expect([...a].filter((p) => b.has(p))).toEqual([]);
      expect(train.rows.length + held.rows.length).toBe(n);
      expect(Math.abs(held.rows.length - Math.round(n * 0.2))).toBeLessThanOrEqual(4);
    }
  });

  test('with classes, both', () => {
    const label = (row: number) => (Number(patients[row].slice(1)) % 3 === 0 ? 1 : 0);
    const labels = numbers(n).map(label);
    const total = labels.filter(Boolean).length;
    for (const s of numbers(100)) {
      const { train, test: held } = data.split(numbers(n), labels, {
        testSize: 0.4,
        groups: patients,
        stratify: true,
        seed: s,
      });
      expect(train.rows.some((row) => held.rows.some((other) => patients[other] === patients[row]))).toBe(false);
      const ones = held.y.filter(Boolean).length;
      expect(Math.abs(ones - total * 0.4)).toBeLessThanOrEqual(5);
      expect(Math.abs(held.rows.length - n * 0.4)).toBeLessThanOrEqual(10);
    }
  });

  test('a group that is too large joins where that is nearer', () => {
    const fives = numbers(20).map((row) => row % 5); // five groups of four rows; seven wanted
    expect(data.split(numbers(20), undefined, { testSize: 7, groups: fives }).test.rows).toHaveLength(8);
    expect(data.split(numbers(20), undefined, { testSize: 5, groups: fives }).test.rows).toHaveLength(4);
  });

  test('two large groups: one each', () => {
    const { train, test: held } = data.split(numbers(10), undefined, {
      testSize: 1,
      groups: [1, 1, 1, 1, 1, 1, 7, 7, 7, 7],
    });
    expect([train.x, held.x]).toEqual([numbers(6), [6, 7, 8, 9]]);
  });
});

test('errors', async () => {
  const x = numbers(10);
  throwsAtOnce('UNKNOWN_OPTION', /"testsize".*"testSize"/, () => data.split(x, x, { testsize: 1 } as never));
  throwsAtOnce('EMPTY_DATA', /testSize 10 of 10 rows leaves 0 for training/, () => data.split(x, x, { testSize: 10 }));
  throwsAtOnce('EMPTY_DATA', /0 for testing/, () => data.split(x, x, { testSize: 0.01 }));
  throwsAtOnce('OUT_OF_RANGE', /testSize/, () => data.split(x, x, { testSize: -1 }));
  throwsAtOnce('SHAPE_MISMATCH', /y must have 10 rows; received 9/, () => data.split(x, numbers(9)));
  throwsAtOnce('SHAPE_MISMATCH', /y must have 10 rows; received 15 values/, () => data.split(x, new Int32Array(15)));
  throwsAtOnce('SHAPE_MISMATCH', /groups must have a value for each of the 10 rows; received 3/, () =>
    data.split(x, x, { rows: 10, groups: [1, 2, 3] }),
  );
  throwsAtOnce('INVALID_ARGUMENT', /groups must hold numbers or strings; received NaN for row 1/, () =>
    data.split(x, x, { groups: [1, Number.NaN] }),
  );
  throwsAtOnce('EMPTY_DATA', /one group/, () => data.split(x, x, { groups: numbers(10).map(() => 'a') }));
  throwsAtOnce('INVALID_ARGUMENT', /option rows/, () => data.split(new Float32Array(20), new Float32Array(10)));
  throwsAtOnce('INVALID_ARGUMENT', /option rows/, () => data.split(new Float32Array(20), new Int32Array(20)));
  throwsAtOnce('INVALID_ARGUMENT', /x must be a Tensor/, () => data.split('abc' as never, x));
  throwsAtOnce('INVALID_ARGUMENT', /need shuffle: true/, () => data.split(x, x, { shuffle: false, stratify: true }));
  await fails('INVALID_ARGUMENT', /takes the classes from y/, () => data.split(x, undefined, { stratify: true }));
});
