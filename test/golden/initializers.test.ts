import { initializers } from 'downhill';
import { describe, expect, it } from 'vitest';
import { read } from './golden.js';

interface Case {
  initializer: 'glorotUniform' | 'randomUniform' | 'randomNormal' | 'zeros' | 'ones' | 'constant';
  options: Record<string, number>;
  shape: number[];
  min: number;
  max: number;
  mean: number;
  deviation: number;
}

const golden = read<{ cases: Case[] }>('initializers');

describe('initializers beside Keras', () => {
  it.each(golden.cases)('$initializer $options $shape', async (row) => {
    const random = !['zeros', 'ones', 'constant'].includes(row.initializer);
    const sample = initializers[row.initializer]({ ...row.options, ...(random && { seed: 11 }) }).sample(row.shape);
    expect(sample.shape).toEqual(row.shape);
    const values = Array.from(await sample.data());
    const mean = values.reduce((a, b) => a + b, 0) / values.length;
    const deviation = Math.sqrt(values.reduce((a, b) => a + (b - mean) ** 2, 0) / values.length);
    // Four standard errors of a difference of two samples' means, and of their deviations (looser for the bounds of a normal).
    const error = 1e-6 + 4 * row.deviation * Math.sqrt(2 / values.length);
    expect(Math.abs(mean - row.mean)).toBeLessThanOrEqual(error);
    expect(Math.abs(deviation - row.deviation)).toBeLessThanOrEqual(error);
    const bound = row.initializer === 'randomNormal' ? 1.2 * row.deviation : 1e-6 + 0.003 * (row.max - row.min);
    expect(Math.abs(Math.min(...values) - row.min)).toBeLessThanOrEqual(bound);
    expect(Math.abs(Math.max(...values) - row.max)).toBeLessThanOrEqual(bound);
  });
});
