import { setDevice, tensor, variable } from 'downhill';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { goHome, testDevices } from '../support-devices.js';
import { expectClose, makeOptimizer, type OptimizerSpec, read, type Values } from './golden.js';

interface Golden {
  start: number[][];
  gradients: number[][][];
  cases: (OptimizerSpec & { name: string; rates?: number[]; after: Record<string, Values[]> })[];
}

const runs = ['keras', 'torch', 'papers'].flatMap((oracle) => testDevices.map((device) => ({ oracle, device })));

describe.each(runs)('update rules of $oracle, on $device', ({ oracle, device }) => {
  beforeAll(() => setDevice(device));
  afterAll(goHome);

  const golden = read<Golden>(`update-rules-${oracle}`);

  it.each(golden.cases)('$name', async (row) => {
    const variables = golden.start.map((values, i) => variable(values, { name: `v${i}` }));
    const optimizer = makeOptimizer(row);
    for (const [step, gradients] of golden.gradients.entries()) {
      if (row.rates) optimizer.learningRate = row.rates[step]!;
      await optimizer.applyGradients(gradients.map((gradient, i) => [tensor(gradient), variables[i]!]));
      const expected = row.after[step + 1];
      if (!expected) continue;
      for (const [i, v] of variables.entries()) {
        expectClose(await v.data(), expected[i], `update ${step + 1}, variable ${i}`, {
          relative: 1e-6,
          absolute: 1e-6,
        });
      }
    }
    expect(optimizer.iterations).toBe(golden.gradients.length);
  });
});

it('keeps slots with the variables: other pairs in between change nothing', async () => {
  const golden = read<Golden>('update-rules-keras');
  const row = golden.cases.find(({ name }) => name === 'momentum')!;
  const [first, second] = golden.start.map((values) => variable(values)) as [
    ReturnType<typeof variable>,
    ReturnType<typeof variable>,
  ];
  const optimizer = makeOptimizer(row);
  for (const [a, b] of golden.gradients) {
    await optimizer.applyGradients([
      [tensor(b!), second],
      [tensor(a!), first],
    ]);
  }
  const expected = row.after[golden.gradients.length]!;
  expectClose(await first.data(), expected[0], 'first', { relative: 1e-6, absolute: 1e-6 });
  expectClose(await second.data(), expected[1], 'second', { relative: 1e-6, absolute: 1e-6 });
});
