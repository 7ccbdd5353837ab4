import { expect, test } from 'vitest';
import { tridiagonalSpectrum } from '../../lib/diagnostics/tridiagonal.js';
import { random } from '../support.js';

test('the second difference has the eigenvalues 2 − 2 cos(kπ/(n + 1))', () => {
  const n = 40;
  const { values, last } = tridiagonalSpectrum(new Array(n).fill(2), new Array(n - 1).fill(-1));
  values.forEach((value, i) => {
    const angle = ((i + 1) * Math.PI) / (n + 1);
    expect(value).toBeCloseTo(2 - 2 * Math.cos(angle), 12);
    // Entry n of its unit eigenvector: √(2/(n + 1)) sin(n·angle).
    expect(Math.abs(last[i])).toBeCloseTo(Math.abs(Math.sqrt(2 / (n + 1)) * Math.sin(n * angle)), 10);
  });
});

test('sums of powers are traces; entries of unit vectors', () => {
  const next = random(5);
  for (const n of [1, 2, 3, 17]) {
    const d = Array.from({ length: n }, () => 4 * next() - 2);
    const e = Array.from({ length: n - 1 }, (_, i) => (i === 4 ? 0 : 2 * next() - 1));
    const { values, last } = tridiagonalSpectrum(d, e);
    const sum = (list: number[]) => list.reduce((total, value) => total + value, 0);
    expect(sum(values)).toBeCloseTo(sum(d), 10);
    expect(sum(values.map((v) => v * v))).toBeCloseTo(sum(d.map((v) => v * v)) + 2 * sum(e.map((v) => v * v)), 10);
    expect(sum(last.map((v) => v * v))).toBeCloseTo(1, 10);
    // eₙᵀ T eₙ is the last diagonal entry.
    expect(sum(values.map((v, i) => v * last[i]! ** 2))).toBeCloseTo(d[n - 1]!, 10);
    expect([...values].sort((a, b) => a - b)).toEqual(values);
  }
});

test('entries that are not finite give NaN', () => {
  for (const bad of [Number.NaN, Infinity])
    expect(tridiagonalSpectrum([1, 2, 3], [1, bad])).toEqual({
      values: [Number.NaN, Number.NaN, Number.NaN],
      last: [Number.NaN, Number.NaN, Number.NaN],
    });
});
