// Adafactor and Muon, which are graph programs, against Keras and PyTorch.
import { setDevice, tensor, variable } from 'downhill';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { goHome, testDevices } from '../support-devices.js';
import { rowsOn } from '../thin.js';
import { expectClose, makeOptimizer, type OptimizerSpec, read, type Values } from './golden.js';

interface Golden {
  names: string[];
  start: Values[];
  gradients: Values[][];
  cases: (OptimizerSpec & { name: string; after: Record<string, Values[]> })[];
}

const runs = ['keras', 'torch'].flatMap((oracle) => testDevices.map((device) => ({ oracle, device })));

describe.each(runs)('update programs of $oracle, on $device', ({ oracle, device }) => {
  beforeAll(() => setDevice(device));
  afterAll(goHome);

  const golden = read<Golden>(`update-programs-${oracle}`);

  it.each(rowsOn(device, golden.cases, ({ optimizer }) => optimizer))('$name', async (row) => {
    const variables = golden.start.map((values, i) => variable(values as number[], { name: golden.names[i]! }));
    const optimizer = makeOptimizer(row);
    for (const [step, gradients] of golden.gradients.entries()) {
      await optimizer.applyGradients(gradients.map((gradient, i) => [tensor(gradient as number[]), variables[i]!]));
      const expected = row.after[step + 1];
      if (!expected) continue;
      for (const [i, v] of variables.entries())
        expectClose(await v.data(), expected[i], `update ${step + 1}, ${v.name}`, { relative: 2e-6, absolute: 2e-6 });
    }
    expect(optimizer.steps).toBe(golden.gradients.length);
  });
});
