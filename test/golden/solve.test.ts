import { solve } from 'downhill';
import { describe, expect, it } from 'vitest';
import { expectClose, read } from './golden.js';

interface Golden {
  regressions: {
    x: number[][];
    y: number[][];
    options: solve.LinearRegressionOptions;
    kernel: number[][];
    bias: number[];
    loss: number;
  }[];
  components: {
    x: number[][];
    count: number;
    options: solve.PcaOptions;
    components: number[][];
    variances: number[];
    mean: number[];
    explained: number;
    reconstruction: number[][];
  }[];
}

const golden = read<Golden>('solve');
const tolerance = { relative: 2e-6, absolute: 1e-7 };

describe('exact solutions beside NumPy', () => {
  it.each(golden.regressions)('least squares, $options', async ({ x, y, options, kernel, bias, loss }) => {
    const found = await solve.linearRegression(x, y, options);
    expectClose(found.kernel.dataSync(), kernel, 'kernel', tolerance);
    expectClose(found.bias.dataSync(), bias, 'bias', tolerance);
    expectClose(found.loss, loss, 'loss', { relative: 1e-9, absolute: 1e-12 });
  });

  it.each(golden.components)('$count principal components, $options', async ({ x, count, options, ...expected }) => {
    const found = await solve.pca(x, count, options);
    expectClose(found.components.dataSync(), expected.components, 'components', tolerance);
    expectClose(found.variances.dataSync(), expected.variances, 'variances', tolerance);
    expectClose(found.mean.dataSync(), expected.mean, 'mean', tolerance);
    expect(found.explained).toBeCloseTo(expected.explained, 9);
    expectClose(found.decode(found.encode(x)).dataSync(), expected.reconstruction, 'reconstruction', {
      relative: 1e-5,
      absolute: 2e-6,
    });
  });
});
