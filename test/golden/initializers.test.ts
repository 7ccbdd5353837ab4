import { initializers } from 'downhill';
import { describe, expect, it } from 'vitest';
import { expectClose, read } from './golden.js';

interface Case {
  initializer:
    | 'glorotUniform'
    | 'randomUniform'
    | 'randomNormal'
    | 'truncatedNormal'
    | 'zeros'
    | 'ones'
    | 'constant'
    | 'identity'
    | 'orthogonal'
    | 'uniformFanIn'
    | 'sparse';
  options: Record<string, number>;
  shape: number[];
  min: number;
  max: number;
  mean: number;
  deviation: number;
}

/** What Keras draws for a shape: its distribution with its bounds, or mean and deviation. */
interface Scale {
  initializer: keyof typeof scaled;
  options: Record<string, number | string | number[]>;
  shape: number[];
  kind: 'uniform' | 'normal' | 'truncatedNormal';
  minval?: number;
  maxval?: number;
  mean?: number;
  stddev?: number;
}

const { glorotUniform, glorotNormal, heUniform, heNormal, lecunUniform, lecunNormal, varianceScaling } = initializers;
const scaled = { glorotUniform, glorotNormal, heUniform, heNormal, lecunUniform, lecunNormal, varianceScaling };

const golden = read<{ cases: Case[]; scales: Scale[] }>('initializers');

describe('initializers beside Keras', () => {
  it.each(golden.cases)('$initializer $options $shape', async (row) => {
    const random = !['zeros', 'ones', 'constant', 'identity'].includes(row.initializer);
    const sample = initializers[row.initializer]({ ...row.options, ...(random && { seed: 11 }) }).sample(row.shape);
    expect(sample.shape).toEqual(row.shape);
    const values = Array.from(await sample.data());
    const mean = values.reduce((a, b) => a + b, 0) / values.length;
    const deviation = Math.sqrt(values.reduce((a, b) => a + (b - mean) ** 2, 0) / values.length);
    // Four standard errors of a difference of two samples' means, and of their deviations (looser for the bounds of a normal).
    const error = 1e-6 + 4 * row.deviation * Math.sqrt(2 / values.length);
    expect(Math.abs(mean - row.mean)).toBeLessThanOrEqual(error);
    expect(Math.abs(deviation - row.deviation)).toBeLessThanOrEqual(error);
    const unbounded = ['randomNormal', 'orthogonal', 'sparse'].includes(row.initializer);
    const bound = unbounded ? 1.2 * row.deviation : 1e-6 + 0.003 * (row.max - row.min);
    expect(Math.abs(Math.min(...values) - row.min)).toBeLessThanOrEqual(bound);
    expect(Math.abs(Math.max(...values) - row.max)).toBeLessThanOrEqual(bound);
  });

  it.each(golden.scales)('$initializer $options $shape is Keras’s distribution', async (row) => {
    const { kind, minval, maxval, mean, stddev } = row;
    const plain =
      kind === 'uniform'
        ? initializers.randomUniform({ minval, maxval, seed: 5 })
        : initializers[kind === 'normal' ? 'randomNormal' : 'truncatedNormal']({ mean, stddev, seed: 5 });
    const sample = scaled[row.initializer]({ ...row.options, seed: 5 }).sample(row.shape);
    const size = kind === 'uniform' ? maxval! : stddev!;
    expectClose(await sample.data(), Array.from(await plain.sample(row.shape).data()), 'draw', {
      absolute: 3e-7 * size,
      relative: 2e-6,
    });
  });
});
