import { optimizers, schedules, setDevice, tensor, variable } from 'downhill';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { goHome, testDevices } from '../support-devices.js';
import { rowsOn } from '../thin.js';
import { expectClose, read, type Values } from './golden.js';

interface Case {
  name: string;
  optimizer: 'sgd' | 'adam';
  options: Record<string, number | boolean | string>;
  learningRate?: { schedule: 'inverseTime'; options: { initial: number; decay: number } };
  after: Record<string, Values[]>;
  final: Values[];
}

const golden = read<{ start: number[][]; gradients: number[][][]; cases: Case[] }>('averages');
const tolerance = { relative: 1e-6, absolute: 1e-6 };

describe.each(testDevices)('averages, accumulation and schedules of Keras, on %s', (device) => {
  beforeAll(() => setDevice(device));
  afterAll(goHome);

  it.each(rowsOn(device, golden.cases, ({ optimizer }) => optimizer))('$name', async (row) => {
    const variables = golden.start.map((values) => variable(values));
    const rate = row.learningRate && { learningRate: schedules[row.learningRate.schedule](row.learningRate.options) };
    const optimizer = optimizers[row.optimizer]({ ...row.options, ...rate } as object);
    for (const [step, gradients] of golden.gradients.entries()) {
      await optimizer.applyGradients(gradients.map((gradient, i) => [tensor(gradient), variables[i]!]));
      const expected = row.after[step + 1];
      if (!expected) continue;
      for (const [i, v] of variables.entries())
        expectClose(await v.data(), expected[i], `step ${step + 1}, variable ${i}`, tolerance);
    }
    const accumulated = Number(row.options.gradientAccumulationSteps ?? 1);
    expect(optimizer.iterations).toBe(Math.floor(golden.gradients.length / accumulated));
    optimizer.finalizeVariableValues(variables);
    for (const [i, v] of variables.entries())
      expectClose(await v.data(), row.final[i], `averages of variable ${i}`, tolerance);
  });
});
