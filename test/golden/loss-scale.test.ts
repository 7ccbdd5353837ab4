import { setDevice, tensor, variable } from 'downhill';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { goHome, testDevices } from '../support-devices.js';
import { expectClose, flat, makeOptimizer, type OptimizerSpec, read, type Values } from './golden.js';

interface Golden {
  start: number[][][];
  gradients: number[][][][];
  notFinite: Record<string, 'NaN' | 'Infinity' | '-Infinity'>;
  cases: (OptimizerSpec & {
    name: string;
    initialScale: number;
    growthSteps: number;
    after: { scale: number; iterations: number; values: Values[] }[];
  })[];
}

describe.each(testDevices)('dynamic loss scale of Keras, on %s', (device) => {
  beforeAll(() => setDevice(device));
  afterAll(goHome);

  const golden = read<Golden>('loss-scale');

  it.each(golden.cases)('$name', async ({ optimizer: kind, options, initialScale, growthSteps, after }) => {
    const optimizer = makeOptimizer({
      optimizer: kind,
      options: { ...options, lossScale: { initialScale, growthSteps } },
    });
    const variables = golden.start.map((values, i) => variable(values, { name: `v${i}` }));
    for (const [step, gradients] of golden.gradients.entries()) {
      const scaled = gradients.map((gradient) => Float32Array.from(flat(gradient), (g) => g * optimizer.lossScale));
      const special = golden.notFinite[step];
      if (special) scaled[0]![6] = Number(special);
      await optimizer.applyGradients(scaled.map((g, i) => [tensor(g, variables[i]!.shape), variables[i]!]));
      const { scale, iterations, values } = after[step]!;
      expect(optimizer.lossScale).toBe(scale);
      expect(optimizer.iterations).toBe(iterations);
      expect(optimizer.skipped).toBe(step + 1 - iterations);
      for (const [i, v] of variables.entries())
        expectClose(await v.data(), values[i], `step ${step}, variable ${i}`, { relative: 1e-6, absolute: 1e-6 });
    }
    expect(optimizer.skipped).toBe(3);
  });
});
